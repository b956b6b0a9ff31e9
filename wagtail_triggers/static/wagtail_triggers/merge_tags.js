/* The picker of personal data, and the button that opens it beside a plain field. */
(() => {
  const { Controller } = window.StimulusModule;
  const known = new Map();

  const load = (url) => {
    if (!known.has(url)) {
      const asked = fetch(url, {
        credentials: 'same-origin',
        headers: { 'X-Requested-With': 'XMLHttpRequest' },
      }).then((response) => {
        if (!response.ok) throw new Error(response.statusText);
        return response.json();
      });
      // Who was signed out meanwhile may try again.
      asked.catch(() => known.delete(url));
      known.set(url, asked);
    }
    return known.get(url);
  };

  const made = (name, properties = {}, children = []) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  const fallbackOf = (text) => text.replace(/"/g, '”').trim();

  const written = ({ path, fallback }) =>
    fallback ? `{{ ${path}|default:"${fallback}" }}` : `{{ ${path} }}`;

  /* Asks for a merge tag; answers with it, or with null when the dialog was closed. */
  const pick = async (url, chosen = {}) => {
    const { words, groups } = await load(url);
    const dialog = made('dialog', { className: 'triggers-merge' });
    dialog.setAttribute('aria-label', words.title);
    const search = made('input', { type: 'search', placeholder: words.search });
    search.setAttribute('aria-label', words.search);
    const fallback = made('input', { type: 'text', maxLength: 100, value: chosen.fallback || '' });
    const lists = groups.map((group) => {
      const buttons = group.tags.map((tag) => {
        const button = made('button', { type: 'button', className: 'triggers-merge__tag' }, [
          made('span', { textContent: tag.label }),
          made('small', { textContent: tag.sample }),
        ]);
        button.setAttribute('aria-pressed', String(tag.path === chosen.path));
        button.addEventListener('click', () => {
          dialog.result = { ...tag, fallback: fallbackOf(fallback.value) };
          dialog.close();
        });
        return made('li', {}, [button]);
      });
      return made('section', {}, [
        made('h3', { textContent: group.label }),
        made('ul', {}, buttons),
      ]);
    });
    search.addEventListener('input', () => {
      const wanted = search.value.trim().toLowerCase();
      lists.forEach((section) => {
        const items = [...section.querySelectorAll('li')];
        items.forEach((item) => {
          item.hidden = !item.textContent.toLowerCase().includes(wanted);
        });
        section.hidden = items.every((item) => item.hidden);
      });
    });
    const close = made('button', {
      type: 'button',
      className: 'button button-secondary',
      textContent: words.close,
    });
    close.addEventListener('click', () => dialog.close());
    dialog.append(
      made('h2', { textContent: words.title }),
      made('label', {}, [made('span', { textContent: words.fallback }), fallback]),
      search,
      made('div', { className: 'triggers-merge__groups' }, lists),
      close,
    );
    // Keys that are pressed in the dialog are none of the editor's behind it.
    ['keydown', 'keypress', 'keyup'].forEach((name) =>
      dialog.addEventListener(name, (event) => {
        if (event.key !== 'Escape') event.stopPropagation();
        if (event.key === 'Enter' && event.target.tagName === 'INPUT') event.preventDefault();
      }),
    );
    document.body.append(dialog);
    dialog.showModal();
    search.focus();
    return new Promise((resolve) => {
      dialog.addEventListener('close', () => {
        dialog.remove();
        resolve(dialog.result || null);
      });
    });
  };

  class MergeController extends Controller {
    static values = { url: String, label: String };

    connect() {
      this.button = made('button', {
        type: 'button',
        className: 'button button-small button-secondary triggers-merge-button',
        textContent: this.labelValue,
      });
      this.button.addEventListener('click', () => this.open());
      this.element.insertAdjacentElement('afterend', this.button);
    }

    disconnect() {
      this.button?.remove();
    }

    async open() {
      const field = this.element;
      const { selectionStart: start, selectionEnd: end } = field;
      const tag = await pick(this.urlValue);
      field.focus();
      if (!tag || field.disabled) return;
      field.setRangeText(written(tag), start ?? field.value.length, end ?? start, 'end');
      ['input', 'change'].forEach((name) =>
        field.dispatchEvent(new Event(name, { bubbles: true })),
      );
    }
  }

  window.triggersMerge = { pick };
  window.wagtail.app.register('triggers-merge', MergeController);
})();
