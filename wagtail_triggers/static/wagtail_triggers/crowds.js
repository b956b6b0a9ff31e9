/* Counts who belongs to a segment while its conditions are written. */
(() => {
  class CountController extends window.TriggersAskingController {
    static targets = ['output'];

    static pause = 700;

    // Adding and removing blocks moves hidden inputs without an input event.
    static events = ['input', 'change', 'click'];

    refresh() {
      const data = new FormData(this.form);
      const conditions = [...data].filter(([name]) => name.startsWith('conditions-'));
      return this.ask(data, JSON.stringify(conditions));
    }

    /* The answer is the server's own escaped template. */
    show(answer) {
      this.outputTarget.innerHTML = answer;
    }

    fail(text) {
      this.outputTarget.textContent = text;
    }
  }

  window.wagtail.app.register('triggers-count', CountController);
})();
