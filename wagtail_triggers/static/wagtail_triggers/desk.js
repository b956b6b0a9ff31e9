/* Side panels of the flow editor: each shows what the server says of the form as it stands. */
(() => {
  const { Controller } = window.StimulusModule;
  const FORM = '#w-editor-form';
  const PAUSE = 700;

  const post = (url, data) =>
    fetch(url, {
      method: 'POST',
      body: data,
      credentials: 'same-origin',
      headers: { 'X-Requested-With': 'XMLHttpRequest' },
    });

  const editor = () => document.querySelector(FORM);

  /* What a flow says, without what Wagtail writes into the form by itself. */
  const signature = (form, only) =>
    JSON.stringify(
      [...new FormData(form)].filter(
        ([name, value]) =>
          typeof value === 'string' &&
          name.startsWith(only) &&
          !/^(csrfmiddlewaretoken|loaded_revision|overwrite_revision|next$|_)/.test(name),
      ),
    );

  /* Calls back some time after the last change of the form; adding and removing blocks moves
     hidden inputs without an input event. */
  class Watch {
    constructor(form, changed, only = '') {
      this.form = form;
      this.seen = signature(form, only);
      this.later = () => {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => {
          const now = signature(form, only);
          if (now === this.seen) return;
          this.seen = now;
          changed();
        }, PAUSE);
      };
      Watch.events.forEach((name) => form.addEventListener(name, this.later));
    }

    stop() {
      clearTimeout(this.timer);
      Watch.events.forEach((name) =>
        this.form.removeEventListener(name, this.later),
      );
    }
  }
  Watch.events = ['input', 'change', 'click', 'keyup'];

  /* Whether all blocks of the form are there: the last field of the three tabs is. */
  const isBuilt = (form) =>
    ['trigger', 'entry', 'steps', 'stay'].every((name) =>
      form.querySelector(`[name="${name}-count"]`),
    );

  const placed = (form, place) => {
    const [kind, name] = place.split(/:(.*)/s);
    if (kind === 'block') return document.getElementById(`block-${name}-section`);
    const field = form.querySelector(
      `[name="${CSS.escape(name)}"], [name="${CSS.escape(name)}-count"]`,
    );
    return field && field.closest('[data-panel]');
  };

  /* Opens whatever hides a part of the form, and puts the focus there. */
  const show = (part) => {
    const tab = part.closest('[role=tabpanel]');
    if (tab && tab.hidden) {
      document.querySelector(`[role=tab][href="#${CSS.escape(tab.id)}"]`)?.click();
    }
    for (
      let panel = part;
      panel;
      panel = panel.parentElement?.closest('[data-panel]')
    ) {
      const toggle = panel.querySelector('[data-panel-toggle]');
      if (toggle && toggle.getAttribute('aria-expanded') === 'false') toggle.click();
    }
    part.scrollIntoView({ block: 'start' });
    const first = part.querySelector(
      '[data-panel-toggle], input:not([type=hidden]), select, textarea, button',
    );
    (first || part).focus({ preventScroll: true });
    part.classList.add('triggers-shown');
    setTimeout(() => part.classList.remove('triggers-shown'), 1500);
  };

  class PanelController extends Controller {
    static values = { url: String, eager: Boolean, only: String, failed: String };

    static targets = ['output', 'played'];

    connect() {
      this.form = editor();
      if (!this.form) return;
      this.panel = this.element.closest('[data-side-panel]');
      this.isStale = true;
      this.opened = () => this.refresh();
      this.panel?.addEventListener('show', this.opened);
      this.watch = new Watch(this.form, () => {
        this.isStale = true;
        // What was chosen in a panel that asks questions is not wiped away.
        if (this.eagerValue || (this.isOpen() && !this.hasPlayedTarget)) this.refresh();
      }, this.onlyValue);
      if (this.eagerValue || this.isOpen()) this.refresh();
    }

    disconnect() {
      this.panel?.removeEventListener('show', this.opened);
      clearTimeout(this.timer);
      this.watch?.stop();
    }

    isOpen() {
      return Boolean(this.panel && !this.panel.hidden);
    }

    async refresh() {
      if (!this.isStale) return;
      if (!isBuilt(this.form)) {
        // The blocks are drawn by Wagtail's own script, which may come after this one.
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.refresh(), 200);
        return;
      }
      this.isStale = false;
      const number = (this.asked || 0) + 1;
      this.asked = number;
      let text;
      try {
        const response = await post(this.urlValue, new FormData(this.form));
        if (!response.ok) throw new Error(response.status);
        text = await response.text();
      } catch {
        this.isStale = true;
        this.outputTarget.textContent = this.failedValue;
        return;
      }
      if (number !== this.asked) return;
      // The answer is the server's own escaped template.
      this.outputTarget.innerHTML = text;
      this.count();
    }

    count() {
      const told = this.outputTarget.querySelector('[data-triggers-panel-count]');
      const toggle = document.querySelector(
        `[data-side-panel-toggle="${this.panel?.dataset.sidePanel}"] [data-side-panel-toggle-counter]`,
      );
      if (!told || !toggle) return;
      toggle.textContent = told.dataset.triggersPanelCount;
      toggle.hidden = told.dataset.triggersPanelCount === '0';
      // Who listens hears the number that others see.
      const button = toggle.closest('button');
      this.toggleName ??= button.getAttribute('aria-label');
      const number = toggle.hidden ? '' : `, ${toggle.textContent}`;
      button.setAttribute('aria-label', this.toggleName + number);
    }

    go(event) {
      event.preventDefault();
      const part = placed(this.form, event.params.place);
      if (part) show(part);
    }

    /* Has the flow played with what was chosen in the panel. */
    async play({ currentTarget, params: { playUrl } }) {
      const data = new FormData(this.form);
      this.element.querySelectorAll('[data-triggers-panel-name]').forEach((field) => {
        data.set(field.dataset.triggersPanelName, field.value);
      });
      currentTarget.disabled = true;
      const waits = document.createElement('p');
      waits.dataset.triggersWaits = '';
      waits.textContent = '…';
      this.playedTarget.replaceChildren(waits);
      try {
        const response = await post(playUrl, data);
        if (!response.ok) throw new Error(response.status);
        // The answer is the server's own escaped template.
        this.playedTarget.innerHTML = await response.text();
      } catch {
        this.playedTarget.textContent = this.failedValue;
      } finally {
        currentTarget.disabled = false;
      }
    }
  }

  /* Says what publishing would do before it does it. */
  class PublishController extends Controller {
    static values = { url: String, failed: String };

    connect() {
      this.form = this.element.closest('form');
      this.ask = (event) => {
        const button = event.target.closest('button[name=action-publish]');
        if (!button || !this.dialog()) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        this.open();
      };
      this.form?.addEventListener('click', this.ask, true);
    }

    disconnect() {
      this.form?.removeEventListener('click', this.ask, true);
    }

    dialog() {
      return document.getElementById('triggers-publish-dialog');
    }

    open() {
      const dialog = this.dialog();
      if (!dialog.dataset.triggersPublishReady) {
        dialog.dataset.triggersPublishReady = 'true';
        dialog.addEventListener('change', ({ target }) => this.choose(target));
      }
      dialog.dispatchEvent(new CustomEvent('w-dialog:show'));
      this.refresh();
    }

    /* Writes into the form what was chosen for people on their way. */
    choose(target) {
      if (target.name !== 'triggers-publish-people') return;
      const field = this.form.elements.namedItem('people');
      if (!field) return;
      field.value = target.value;
      field.dispatchEvent(new Event('change', { bubbles: true }));
      this.refresh();
    }

    async refresh() {
      const output = this.dialog().querySelector('[data-triggers-publish-output]');
      try {
        const response = await post(this.urlValue, new FormData(this.form));
        if (!response.ok) throw new Error(response.status);
        // The answer is the server's own escaped template.
        output.innerHTML = await response.text();
      } catch {
        output.textContent = this.failedValue;
      }
    }
  }

  /* Writes the numbers of the live version beside each step of the form. */
  class NumbersController extends Controller {
    connect() {
      const told = document.getElementById('triggers-numbers');
      this.numbers = told ? JSON.parse(told.textContent) : {};
      this.form = this.element.closest('form');
      if (!this.form || !Object.keys(this.numbers).length) return;
      this.observer = new MutationObserver(() => this.write());
      this.observer.observe(this.form, { childList: true, subtree: true });
      this.write();
    }

    disconnect() {
      this.observer?.disconnect();
    }

    write() {
      Object.entries(this.numbers).forEach(([key, text]) => {
        const block = document.getElementById(`block-${key}-section`);
        if (!block || block.querySelector(':scope > .triggers-numbers')) return;
        const said = document.createElement('p');
        said.className = 'triggers-numbers';
        said.textContent = text;
        block.querySelector(':scope > .w-panel__header')?.after(said);
      });
    }
  }

  /* Leads from a step to the letter that it sends, and to a new one; takes in what is new. */
  class LetterController extends Controller {
    connect() {
      this.about = document.getElementById('triggers-letters');
      this.select = this.element.querySelector('select');
      if (!this.about || !this.select || this.links) return;
      this.open = this.link(this.about.dataset.open, '');
      this.links = document.createElement('p');
      this.links.className = 'triggers-letter-links';
      this.links.append(
        this.open,
        this.link(this.about.dataset.new, this.about.dataset.newUrl),
      );
      this.select.after(this.links);
      this.point = () => {
        this.open.hidden = !this.select.value;
        this.open.href = `${this.about.dataset.url}${encodeURIComponent(this.select.value)}/`;
      };
      this.select.addEventListener('change', this.point);
      this.point();
      this.texts = JSON.parse(this.about.dataset.texts);
      this.textChannels = JSON.parse(this.about.dataset.textChannels);
      this.offer = () => this.offerFitting();
      this.block = this.element.closest('[data-contentpath]:not([data-contentpath="template"])');
      this.block?.addEventListener('change', this.offer);
      // The channel's field is written after this one.
      requestAnimationFrame(this.offer);
      this.look = () => this.refresh();
      window.addEventListener('focus', this.look);
    }

    disconnect() {
      window.removeEventListener('focus', this.look);
      this.block?.removeEventListener('change', this.offer);
    }

    /* Offers what the chosen channel can send; what is chosen already stays, and is checked. */
    offerFitting() {
      const channel = this.block?.querySelector('[data-contentpath="channel"] select')?.value;
      if (!channel) return;
      const takesText = this.textChannels.includes(channel);
      [...this.select.options].forEach((option) => {
        const text = this.texts[option.value];
        const fits = text ? text === channel : !takesText;
        const isKept = fits || !option.value || option.selected;
        option.hidden = !isKept;
        option.disabled = !isKept;
      });
    }

    link(text, href) {
      const link = document.createElement('a');
      link.textContent = text;
      link.href = href;
      link.target = '_blank';
      link.rel = 'noopener';
      return link;
    }

    async refresh() {
      const response = await fetch(this.about.dataset.url, { credentials: 'same-origin' });
      if (!response.ok) return;
      const known = new Set([...this.select.options].map(({ value }) => value));
      const { letters, texts } = await response.json();
      letters.forEach(([key, name]) => {
        if (!known.has(key)) this.select.add(new Option(name, key));
      });
      this.texts = texts;
      this.offer();
    }
  }

  window.wagtail.app.register('triggers-letter', LetterController);
  window.wagtail.app.register('triggers-publish', PublishController);
  window.wagtail.app.register('triggers-numbers', NumbersController);
  window.wagtail.app.register('triggers-panel', PanelController);
})();
