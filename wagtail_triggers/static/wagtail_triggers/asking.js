/* What is asked of the server while a form is written: after a pause, once for each state of it. */
(() => {
  const { Controller } = window.StimulusModule;

  class AskingController extends Controller {
    static values = { url: String, failed: String };

    /* Milliseconds without a stroke. */
    static pause = 500;

    static events = ['input', 'change'];

    connect() {
      this.form = this.element.closest('form');
      if (!this.form) return;
      this.later = () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), this.constructor.pause);
      };
      this.constructor.events.forEach((name) => this.form.addEventListener(name, this.later));
      this.later();
    }

    disconnect() {
      clearTimeout(this.timer);
      this.asking?.abort();
      if (!this.form) return;
      this.constructor.events.forEach((name) =>
        this.form.removeEventListener(name, this.later),
      );
    }

    /* Posts the fields unless they were asked last, and gives the answer or what failed on. */
    async ask(data, signature = JSON.stringify([...data])) {
      if (signature === this.seen) return;
      this.seen = signature;
      // Who goes on writing does not wait for the answer of before.
      this.asking?.abort();
      this.asking = new AbortController();
      try {
        const response = await fetch(this.urlValue, {
          method: 'POST',
          body: data,
          credentials: 'same-origin',
          headers: { 'X-Requested-With': 'XMLHttpRequest' },
          signal: this.asking.signal,
        });
        if (!response.ok) throw new Error(response.status);
        this.show(await response.text());
      } catch (error) {
        if (error.name === 'AbortError') return;
        this.seen = undefined;
        this.fail(this.failedValue);
      }
    }
  }

  window.TriggersAskingController = AskingController;
})();
