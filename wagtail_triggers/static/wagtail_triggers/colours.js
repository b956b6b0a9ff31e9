/* A colour that is written, with the browser's own picker beside it. */
(() => {
  const { Controller } = window.StimulusModule;

  class ColourController extends Controller {
    static values = { label: String };

    connect() {
      this.picker = document.createElement('input');
      this.picker.type = 'color';
      this.picker.className = 'triggers-colour';
      this.picker.setAttribute('aria-label', this.labelValue);
      this.picker.addEventListener('input', () => {
        this.element.value = this.picker.value;
        ['input', 'change'].forEach((name) =>
          this.element.dispatchEvent(new Event(name, { bubbles: true })),
        );
      });
      this.show = () => {
        if (/^#[0-9a-f]{6}$/i.test(this.element.value)) this.picker.value = this.element.value;
      };
      this.element.addEventListener('input', this.show);
      this.element.insertAdjacentElement('afterend', this.picker);
      this.show();
    }

    disconnect() {
      this.element.removeEventListener('input', this.show);
      this.picker?.remove();
    }
  }

  window.wagtail.app.register('triggers-colour', ColourController);
})();
