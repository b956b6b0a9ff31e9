/* Counts a text while it is written; what it costs stands on the server. */
(() => {
  const { Controller } = window.StimulusModule;
  const PAUSE = 500;
  const FIELDS = ['text', 'language', 'channel', 'preview_as', 'csrfmiddlewaretoken'];
  const TAGS = /(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})/s;

  /* A character travels between quotes: an attribute would lose a blank. */
  const unquoted = (text) => text.slice(1, -1);

  class WordsController extends Controller {
    static values = { url: String, failed: String };

    static targets = ['count', 'message'];

    connect() {
      this.form = this.element.closest('form');
      if (!this.form) return;
      this.later = () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), PAUSE);
      };
      ['input', 'change'].forEach((name) => this.form.addEventListener(name, this.later));
      this.refresh();
    }

    disconnect() {
      clearTimeout(this.timer);
      this.asking?.abort();
      if (!this.form) return;
      ['input', 'change'].forEach((name) => this.form.removeEventListener(name, this.later));
    }

    get field() {
      return this.form.elements.namedItem('text');
    }

    async refresh() {
      const data = new FormData();
      FIELDS.forEach((name) => {
        const field = this.form.elements.namedItem(name);
        // A field that cannot change any more is not among what a form posts.
        if (field) data.set(name, field.value);
      });
      const signature = JSON.stringify([...data]);
      if (signature === this.seen) return;
      this.seen = signature;
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
        this.countTarget.textContent = this.failedValue;
      }
    }

    /* The answer is the server's own escaped template. What did not change is not read aloud. */
    show(answer) {
      const parts = new DOMParser().parseFromString(answer, 'text/html');
      [['count', this.countTarget], ['message', this.messageTarget]].forEach(([name, target]) => {
        const html = parts.querySelector(`[data-words=${name}]`).innerHTML;
        if (html !== target.dataset.shown) target.innerHTML = html;
        target.dataset.shown = html;
      });
    }

    /* Replaces a character wherever the author wrote it, and leaves merge tags as they are. */
    replace({ params: { character, by } }) {
      const { field } = this;
      if (!field || field.disabled) return;
      field.value = field.value
        .split(TAGS)
        .map((part, index) =>
          index % 2 ? part : part.replaceAll(unquoted(character), () => unquoted(by)),
        )
        .join('');
      ['input', 'change'].forEach((name) =>
        field.dispatchEvent(new Event(name, { bubbles: true })),
      );
      // The button goes with the character.
      field.focus();
    }
  }

  window.wagtail.app.register('triggers-words', WordsController);
})();
