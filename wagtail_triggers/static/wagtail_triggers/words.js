/* Counts a text while it is written; what it costs stands on the server. */
(() => {
  const FIELDS = ['text', 'language', 'channel', 'preview_as', 'csrfmiddlewaretoken'];
  const TAGS = /(\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})/s;

  /* A character travels between quotes: an attribute would lose a blank. */
  const unquoted = (text) => text.slice(1, -1);

  class WordsController extends window.TriggersAskingController {
    static targets = ['count', 'message'];

    get field() {
      return this.form.elements.namedItem('text');
    }

    refresh() {
      const data = new FormData();
      FIELDS.forEach((name) => {
        const field = this.form.elements.namedItem(name);
        // A field that cannot change any more is not among what a form posts.
        if (field) data.set(name, field.value);
      });
      return this.ask(data);
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

    fail(text) {
      this.countTarget.textContent = text;
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
