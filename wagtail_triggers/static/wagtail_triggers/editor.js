/* The editor's three small behaviours. */
(() => {
  const { Controller } = window.StimulusModule;

  const post = (url, data) =>
    fetch(url, {
      method: 'POST',
      body: data,
      credentials: 'same-origin',
      headers: { 'X-Requested-With': 'XMLHttpRequest' },
    });

  /* Counts again who waits whenever what they would come into was changed. */
  class ForecastController extends Controller {
    static values = { url: String };

    static targets = ['output'];

    connect() {
      this.form = this.element.closest('form');
      if (!this.form) return;
      this.seen = this.signature();
      this.later = () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), 700);
      };
      // Adding and removing blocks moves hidden inputs without an input event.
      ['input', 'change', 'click'].forEach((name) =>
        this.form.addEventListener(name, this.later),
      );
    }

    disconnect() {
      clearTimeout(this.timer);
      if (!this.form) return;
      ['input', 'change', 'click'].forEach((name) =>
        this.form.removeEventListener(name, this.later),
      );
    }

    signature() {
      return JSON.stringify(
        [...new FormData(this.form)].filter(
          ([name]) =>
            name === 'key' ||
            name === 'include_waiting' ||
            name === 'people' ||
            name.startsWith('trigger-') ||
            name.startsWith('steps-'),
        ),
      );
    }

    async refresh() {
      const signature = this.signature();
      if (signature === this.seen) return;
      this.seen = signature;
      const response = await post(this.urlValue, new FormData(this.form));
      // The answer is the server's own escaped template.
      if (response.ok) this.outputTarget.innerHTML = await response.text();
    }
  }

  class TestController extends Controller {
    static values = { url: String, failed: String };

    static targets = ['address', 'button', 'answer', 'languages'];

    async send() {
      const data = new FormData(this.element.closest('form'));
      data.set('test_address', this.addressTarget.value);
      if (this.languagesTarget.checked) data.set('test_languages', 'all');
      this.buttonTarget.disabled = true;
      this.answerTarget.textContent = '…';
      try {
        const response = await post(this.urlValue, data);
        this.answerTarget.textContent = (await response.json()).message;
      } catch {
        this.answerTarget.textContent = this.failedValue;
      } finally {
        this.buttonTarget.disabled = false;
      }
    }
  }

  /* Writes a merge tag where the caret stood last in the letter. */
  class TagsController extends Controller {
    static fields = ['subject', 'preheader', 'body', 'text'];

    connect() {
      this.form = this.element.closest('form');
      this.remember = ({ target }) => {
        if (TagsController.fields.includes(target.name)) this.field = target;
      };
      this.form?.addEventListener('focusin', this.remember);
    }

    disconnect() {
      this.form?.removeEventListener('focusin', this.remember);
    }

    insert({ params: { tag } }) {
      const field = this.field || this.form?.elements.namedItem('body');
      if (!field || field.disabled) return;
      field.focus();
      field.setRangeText(tag, field.selectionStart, field.selectionEnd, 'end');
      ['input', 'change'].forEach((name) =>
        field.dispatchEvent(new Event(name, { bubbles: true })),
      );
    }
  }

  window.wagtail.app.register('triggers-tags', TagsController);
  window.wagtail.app.register('triggers-forecast', ForecastController);
  window.wagtail.app.register('triggers-test', TestController);
})();
