/* Draws the dashboard's chart: a bar for each day, made of its flows, in the theme's colours. */
(() => {
  const { Controller } = window.StimulusModule;

  /* Light and dark: each pair stands out from its background and from its neighbours. */
  const COLOURS = {
    light: ['#2e7d7d', '#c2571a', '#5b4fb3', '#a8862b', '#b03a64', '#3d7a33', '#6b7280'],
    dark: ['#5fc4c0', '#f0995f', '#a79df0', '#e0c063', '#ee8fb0', '#93d183', '#b4bac4'],
  };

  class ChartController extends Controller {
    static values = { source: String, locale: String };

    static targets = ['canvas', 'choice'];

    connect() {
      const source = document.getElementById(this.sourceValue);
      if (!source || !window.Chart) return;
      this.source = JSON.parse(source.textContent);
      [this.measure] = Object.keys(this.source.measures);
      this.redraw = () => this.draw();
      this.scheme = window.matchMedia('(prefers-color-scheme: dark)');
      this.scheme.addEventListener('change', this.redraw);
      this.draw();
    }

    disconnect() {
      this.scheme?.removeEventListener('change', this.redraw);
      this.chart?.destroy();
    }

    show({ params: { measure } }) {
      this.measure = measure;
      this.choiceTargets.forEach((button) => {
        const isChosen = button.dataset.triggersChartMeasureParam === measure;
        button.setAttribute('aria-pressed', String(isChosen));
        button.classList.toggle('button-secondary', !isChosen);
      });
      this.draw();
    }

    isDark() {
      const { classList } = document.documentElement;
      if (classList.contains('w-theme-dark')) return true;
      return classList.contains('w-theme-system') && this.scheme.matches;
    }

    draw() {
      const drawn = this.source.measures[this.measure];
      const style = getComputedStyle(this.element);
      const text = style.getPropertyValue('--w-color-text-context') || style.color;
      const line = style.getPropertyValue('--w-color-border-furniture') || style.color;
      const colours = COLOURS[this.isDark() ? 'dark' : 'light'];
      const numbers = new Intl.NumberFormat(this.localeValue || undefined, {
        minimumFractionDigits: drawn.decimals,
        maximumFractionDigits: drawn.decimals,
      });
      /* Time goes on in the direction in which the page is read. */
      const isRtl = style.direction === 'rtl';
      const axis = { ticks: { color: text }, grid: { color: line }, stacked: true };
      this.chart?.destroy();
      this.chart = new window.Chart(this.canvasTarget, {
        type: 'bar',
        data: {
          labels: this.source.days,
          datasets: drawn.series.map(({ label, values }, number) => ({
            label,
            data: values,
            backgroundColor: colours[number % colours.length],
          })),
        },
        options: {
          maintainAspectRatio: false,
          animation: false,
          interaction: { mode: 'index', intersect: false },
          plugins: {
            legend: { position: 'bottom', rtl: isRtl, labels: { color: text } },
            tooltip: {
              rtl: isRtl,
              textDirection: style.direction,
              filter: ({ raw }) => raw !== 0,
              callbacks: {
                label: ({ dataset, raw }) => `${dataset.label}: ${numbers.format(raw)}`,
              },
            },
          },
          scales: {
            x: { ...axis, reverse: isRtl, grid: { display: false } },
            y: {
              ...axis,
              beginAtZero: true,
              position: isRtl ? 'right' : 'left',
              ticks: {
                color: text,
                precision: drawn.decimals ? undefined : 0,
                callback: (value) => numbers.format(value),
              },
            },
          },
        },
      });
    }
  }

  window.wagtail.app.register('triggers-chart', ChartController);
})();
