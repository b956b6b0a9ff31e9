/* Shows of a link only what its sort needs: a page, a product or an address. */
(() => {
  const { Controller } = window.StimulusModule;

  class LinkController extends Controller {
    static fields = ['page', 'product', 'address'];

    connect() {
      this.show = () => {
        const select = this.element.querySelector('[data-contentpath="to"] select');
        if (!select) return;
        LinkController.fields.forEach((name) => {
          const field = this.element.querySelector(`[data-contentpath="${name}"]`);
          if (field) field.hidden = select.value !== name;
        });
      };
      this.element.addEventListener('change', this.show);
      // The block's fields are written after the element that holds them.
      this.observer = new MutationObserver(this.show);
      this.observer.observe(this.element, { childList: true, subtree: true });
      this.show();
    }

    disconnect() {
      this.observer.disconnect();
      this.element.removeEventListener('change', this.show);
    }
  }

  window.wagtail.app.register('triggers-link', LinkController);
})();
