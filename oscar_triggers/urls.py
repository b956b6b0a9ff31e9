"""Public addresses of the engine, mounted by the shop at a short path such as "t/".

They stand in letters that were sent: a path may be added, never changed.
"""

from django.urls import path

from . import views, views_requests, views_surveys

app_name = "oscar_triggers"
urlpatterns = [
    path("u/<str:public_id>/", views.unsubscribe, name="unsubscribe"),
    path("p/<str:public_id>/", views_requests.preferences, name="preferences"),
    path("c/<str:token>/", views.click, name="click"),
    path("b/<str:token>/", views.basket, name="basket"),
    path("s/<str:token>/", views_surveys.survey, name="survey"),
    path("r/<int:product_id>/", views_surveys.review, name="review"),
    path("w/", views_requests.mine, name="requests"),
    path("w/ask/<int:product_id>/", views_requests.ask, name="request_ask"),
    path("w/confirm/<str:token>/", views_requests.confirm, name="request_confirm"),
    path("w/<str:public_id>/", views_requests.one, name="request"),
    path("health/<str:token>/", views.health, name="health"),
    path("health/<str:token>/metrics", views.metrics, name="metrics"),
]
