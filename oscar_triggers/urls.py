"""Public addresses of the engine, mounted by the shop at a short path such as "t/".

They stand in letters that were sent: a path may be added, never changed.
"""

from django.urls import path

from . import views

app_name = "oscar_triggers"
urlpatterns = [
    path("u/<str:public_id>/", views.unsubscribe, name="unsubscribe"),
    path("c/<str:token>/", views.click, name="click"),
    path("b/<str:token>/", views.basket, name="basket"),
    path("health/<str:token>/", views.health, name="health"),
    path("health/<str:token>/metrics", views.metrics, name="metrics"),
]
