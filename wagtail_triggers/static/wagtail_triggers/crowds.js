/* Counts who belongs to a segment while its conditions are written. */
(() => {
  const { Controller } = window.StimulusModule;

  class CountController extends Controller {
    static values = { url: String, failed: String };

    static targets = ['output'];

    connect() {
      this.form = this.element.closest('form');
      if (!this.form) return;
      this.later = () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), 700);
      };
      // Adding and removing blocks moves hidden inputs without an input event.
      ['input', 'change', 'click'].forEach((name) =>
        this.form.addEventListener(name, this.later),
      );
      this.later();
    }

    disconnect() {
      clearTimeout(this.timer);
      this.asking?.abort();
      if (!this.form) return;
      ['input', 'change', 'click'].forEach((name) =>
        this.form.removeEventListener(name, this.later),
      );
    }

    async refresh() {
      const data = new FormData(this.form);
      const signature = JSON.stringify(
        [...data].filter(([name]) => name.startsWith('conditions-')),
      );
      if (signature === this.seen) return;
      this.seen = signature;
      // Who goes on writing does not wait for the count of before.
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
        // The answer is the server's own escaped template.
        this.outputTarget.innerHTML = await response.text();
      } catch (error) {
        if (error.name === 'AbortError') return;
        this.seen = undefined;
        this.outputTarget.textContent = this.failedValue;
      }
    }
  }

  window.wagtail.app.register('triggers-count', CountController);
})();
