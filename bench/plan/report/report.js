'use strict';
// Draws the plan in #plan-data. Names of fields are those of `incipit plan --json`.
(() => {
  const plan = JSON.parse(document.getElementById('plan-data').textContent);
  const byId = (id) => document.getElementById(id);
  const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#b8860b', '#56b4e9', '#8c564b', '#7f7f7f', '#9467bd',
    '#2ca02c', '#e377c2', '#17becf', '#bcbd22'];
  const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'cross', 'crossRot'];
  const PRINT = [340, 225], TALL_PRINT = [690, 280];  // width and height, CSS pixels of A4 and Letter
  const policies = [...new Set(plan.rows.map((row) => row.policy))];
  const sizes = [...new Set(plan.rows.map((row) => row.size_percent))];
  const sorted = [...sizes].sort((a, b) => a - b);
  const sized = policies.filter((policy) => plan.rows.some((row) => row.policy === policy && row.sizing));
  const charts = [];
  let inPrint = false;

  const number = (value, digits = 2) => value === null || value === undefined ? '–' :
    value.toLocaleString('en', {minimumFractionDigits: digits, maximumFractionDigits: digits});
  const percent = (ratio, digits = 1) => ratio === null || ratio === undefined ? '–' :
    number(100 * ratio, digits) + ' %';
  const bytes = (value) => {
    if (value === null || value === undefined) return '–';
    const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
    let unit = 0;
    for (; value >= 1000 && unit + 1 < units.length; ++unit) value /= 1000;
    return number(value, value < 10 && unit > 0 ? 2 : value < 100 && unit > 0 ? 1 : 0) + ' ' + units[unit];
  };
  const dollars = (value) => value === null || value === undefined ? '–' :
    (value < 0 ? '−' : '') + '$' + number(Math.abs(value), 2);
  const cents = (value) => value === null || value === undefined ? '–' : '$' + number(value, value < 0.1 ? 4 : 2);
  const rowsOf = (policy) => sorted.map((size) =>
    plan.rows.find((row) => row.policy === policy && row.size_percent === size));

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const dark = !inPrint && window.matchMedia('(prefers-color-scheme: dark)').matches;
    const value = (name) => style.getPropertyValue(name).trim();
    // Printing: the style sheet's print colors may not be in force yet.
    return inPrint ? {ink: '#000000', faint: '#444444', line: '#cccccc', dark} :
      {ink: value('--ink'), faint: value('--faint'), line: value('--line'), dark};
  }

  // ---- charts

  function axis(title, colors, more = {}) {
    return {title: {display: true, text: title, color: colors.faint}, ticks: {color: colors.faint, ...more.ticks},
      grid: {color: colors.line, borderColor: colors.line}, ...more.axis};
  }

  const sizeAxis = (colors) => axis('size of the tier, % of the distinct blocks', colors,
    {axis: {type: 'category'}, ticks: {autoSkip: true, maxRotation: 0}});
  const sizeLabels = () => sorted.map((size) => String(size) + ' %');

  function line(label, data, index, more = {}) {
    return {label, data, borderColor: COLORS[index % COLORS.length], backgroundColor: COLORS[index % COLORS.length],
      pointStyle: SHAPES[index % SHAPES.length], pointRadius: 4, borderWidth: 2, tension: 0, spanGaps: true, ...more};
  }

  const bar = (label, data, index, more = {}) => ({label, data, backgroundColor: COLORS[index % COLORS.length],
    maxBarThickness: 48, ...more});

  // `make` returns the type, the data and the scales for the colors of the moment, and how values are written.
  function draw(canvas, make) {
    const entry = {canvas, make, chart: null};
    entry.update = () => {
      if (entry.chart) entry.chart.destroy();
      canvas.removeAttribute('style');
      const colors = theme();
      // On paper nothing resizes: drawn at the size of its place there, which the style sheet scales.
      if (inPrint) [canvas.width, canvas.height] = canvas.parentElement.classList.contains('tall') ? TALL_PRINT : PRINT;
      const made = make(colors);
      entry.chart = new Chart(canvas, {
        type: made.type, data: made.data,
        options: {
          animation: false, responsive: !inPrint, maintainAspectRatio: false, color: colors.ink, scales: made.scales,
          ...(inPrint ? {devicePixelRatio: 2} : {}),
          interaction: {mode: 'index', intersect: false, ...made.interaction},
          plugins: {
            legend: {position: 'bottom', labels: {color: colors.ink, usePointStyle: true, boxHeight: 7}},
            tooltip: {callbacks: {
              title: made.title, label: (item) => item.dataset.label + ': ' + made.write(item.parsed, item)}},
          },
        },
      });
    };
    entry.update();
    charts.push(entry);
    return entry;
  }

  function card(parent, title, label) {
    const box = element('div', undefined, 'card');
    const frame = element('div', undefined, 'chart');
    const canvas = document.createElement('canvas');
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', label);
    frame.append(canvas);
    box.append(element('h3', title), frame);
    byId(parent).append(box);
    return canvas;
  }

  function drawHits() {
    const chart = draw(byId('hits'), (colors) => {
      const field = byId('objective').value;
      const lines = policies.map((policy, index) => line(policy === 'min' ? 'min (bound)' : policy,
        rowsOf(policy).map((row) => 100 * row[field]), index,
        policy === 'min' ? {borderDash: [6, 4], borderColor: colors.faint, backgroundColor: colors.faint} : {}));
      const what = field === 'token_hit_ratio' ? 'tokens hit, % of prompt tokens' : 'FLOPs saved, % of all prefill';
      return {type: 'line', data: {labels: sizeLabels(), datasets: lines},
        scales: {x: sizeAxis(colors), y: axis(what, colors, {axis: {beginAtZero: true}})},
        write: (at) => number(at.y, 1) + ' %'};
    });
    byId('objective').addEventListener('change', chart.update);
  }

  const chosen = () => byId('policy').value;
  const sizingOf = (row, pick) => row.sizing ? pick(row.sizing) : null;

  function stacked(canvas, title, series, write, unit) {
    return draw(canvas, (colors) => ({type: 'bar',
      data: {labels: sizeLabels(), 
        datasets: series().map((one, index) => bar(one.label, one.data, one.color ?? index))},
      scales: {x: {...sizeAxis(colors), stacked: true}, y: axis(unit, colors, {axis: {stacked: true}})},
      title: (items) => title + ', ' + items[0].label, write}));
  }

  function drawGap() {
    return stacked(card('cards', 'What is hit, and what is missing', 'Hits, gap by policy and gap by capacity by size'),
      'Tokens', () => {
        const rows = rowsOf(chosen());
        return [{label: 'hit', data: rows.map((row) => 100 * row.token_hit_ratio)},
          {label: 'a better policy would add', data: rows.map((row) => 100 * Math.max(0, row.gap_by_policy))},
          {label: 'more capacity would add', color: 5,
            data: rows.map((row) => 100 * Math.max(0, row.gap_by_capacity))}];
      }, (at) => number(at.y, 1) + ' %', '% of prompt tokens');
  }

  function drawTiers() {
    return stacked(card('cards', 'Where hits come from', 'Hits from RAM and NVMe by size'), 'Tokens hit', () => {
      const rows = rowsOf(chosen());
      return [{label: 'RAM', data: rows.map((row) => sizingOf(row, (s) => 100 * s.ram_hit_ratio))},
        {label: 'NVMe', data: rows.map((row) => sizingOf(row, (s) => 100 * s.nvme_hit_ratio)), color: 5}];
    }, (at) => number(at.y, 1) + ' %', '% of prompt tokens');
  }

  function lines(canvas, unit, series, write, more = {}) {
    return draw(canvas, (colors) => ({type: 'line',
      data: {labels: sizeLabels(), datasets: series().map((one, index) => line(one.label, one.data, index, one.more))},
      scales: {x: sizeAxis(colors), y: axis(unit, colors, {axis: {beginAtZero: true, ...more}})},
      title: (items) => 'Size ' + items[0].label, write}));
  }

  function drawBandwidth() {
    return lines(card('cards', 'Bandwidth of each node', 'Bytes per second of each node, mean and bursts, by size'),
      'GB/s per node', () => {
        const rows = rowsOf(chosen());
        const of = (pick) => rows.map((row) => sizingOf(row, (s) => s.read_per_node && pick(s) / 1e9));
        return [{label: 'loads, mean', data: of((s) => s.read_per_node.mean_bytes_per_s)},
          {label: 'loads, p99 second', data: of((s) => s.read_per_node.p99_bytes_per_s)},
          {label: 'stores, mean', data: of((s) => s.store_per_node.mean_bytes_per_s)},
          {label: 'stores, p99 second', data: of((s) => s.store_per_node.p99_bytes_per_s)}];
      }, (at) => number(at.y, 2) + ' GB/s');
  }

  function drawWear() {
    return lines(card('cards', 'Wear of the drives', 'Bytes written per day against endurance, by size'),
      'TB per day, all nodes', () => {
        const rows = rowsOf(chosen());
        const of = (name) => rows.map((row) => sizingOf(row, (s) => s[name] === null ? null : s[name] / 1e12));
        return [{label: 'written', data: of('written_bytes_per_day')},
          {label: 'endurance', data: of('endurance_bytes_per_day'), more: {borderDash: [6, 4]}}];
      }, (at) => number(at.y, 2) + ' TB/day');
  }

  function drawMoney() {
    return lines(card('cards', 'Worth', 'Dollars an hour saved and spent, by size'), 'US$ per hour', () => {
      const rows = rowsOf(chosen());
      const of = (name) => rows.map((row) => sizingOf(row, (s) => s[name]));
      return [{label: 'GPU hours saved', data: of('saved_dollars_per_hour')},
        {label: 'tier', data: of('dollars_per_hour')}, {label: 'net', data: of('net_dollars_per_hour')}];
    }, (at) => dollars(at.y) + ' an hour');
  }

  function drawCost() {
    const canvas = card('cards', 'Cost of a million tokens saved', 'Dollars per million tokens saved, by size');
    return draw(canvas, (colors) => ({
      type: 'bar',
      data: {labels: sizeLabels(), datasets: [bar(chosen(), rowsOf(chosen()).map((row) =>
        sizingOf(row, (s) => s.dollars_per_million_tokens_saved)), 0)]},
      scales: {x: sizeAxis(colors), y: axis('US$ per million tokens', colors, {axis: {beginAtZero: true}})},
      title: (items) => 'Size ' + items[0].label, write: (at) => cents(at.y)}));
  }

  function drawTtft() {
    return draw(card('cards', 'Time to first token', 'Distribution of times to first token with and without the tier'),
      (colors) => {
        const row = plan.rows.find((one) => one.policy === chosen() && String(one.size_percent) === byId('size').value);
        const points = (name) => row && row.sizing ? row.sizing[name].quantiles.filter((pair) => pair[1] > 0)
          .map(([share, seconds]) => ({x: seconds, y: 100 * share})) : [];
        const style = {showLine: true, pointRadius: 2};
        return {type: 'scatter',
          data: {datasets: [line(`with the tier, ${byId('size').value} %`, points('ttft_with_s'), 0, style),
            line('without', points('ttft_without_s'), 1, style)]},
          scales: {
            x: axis('seconds (logarithmic)', colors, {axis: {type: 'logarithmic'},
              ticks: {maxRotation: 0, autoSkip: true, callback: (value) =>
                [1, 2, 5].includes(Number(value.toExponential()[0])) ? String(value) : null}}),
            y: axis('requests answered, %', colors, {axis: {min: 0, max: 100}})},
          interaction: {mode: 'nearest', axis: 'y'},
          title: () => '', write: (at) => number(at.y, 1) + ' % within ' + number(at.x, 2) + ' s'};
      });
  }

  // ---- tables and text

  function table(parent, columns, rows, isChosen = () => false) {
    const made = element('table');
    const head = made.createTHead().insertRow();
    for (const column of columns) {
      const cell = element('th', column.title);
      cell.scope = 'col';
      head.append(cell);
    }
    const body = made.createTBody();
    for (const row of rows) {
      const line_ = body.insertRow();
      if (isChosen(row)) line_.className = 'chosen';
      for (const column of columns) line_.append(element('td', column.cell(row)));
    }
    byId(parent).append(made);
  }

  const perSizing = (title, write) => ({title, cell: (row) => row.sizing ? write(row.sizing) : '–'});
  const SIZING_COLUMNS = [
    perSizing('RAM', (s) => bytes(s.ram_bytes)), perSizing('NVMe', (s) => bytes(s.nvme_bytes)),
    perSizing('hit in RAM', (s) => percent(s.ram_hit_ratio)),
    perSizing('hit on NVMe', (s) => percent(s.nvme_hit_ratio)),
    perSizing('nodes, SLO', (s) => number(s.nodes_for_slo, 0)),
    perSizing('nodes, one lost', (s) => number(s.nodes_with_one_lost, 0)),
    perSizing('loads per node, /s', (s) => s.read_per_node ? bytes(s.read_per_node.mean_bytes_per_s) : '–'),
    perSizing('p99 second', (s) => s.read_per_node ? bytes(s.read_per_node.p99_bytes_per_s) : '–'),
    perSizing('written a day', (s) => bytes(s.written_bytes_per_day)),
    perSizing('of endurance', (s) => s.endurance_bytes_per_day ?
      percent(s.written_bytes_per_day / s.endurance_bytes_per_day, 0) : '–'),
    perSizing('TTFT p50, s', (s) => number(s.ttft_with_s.p50)),
    perSizing('TTFT p99, s', (s) => number(s.ttft_with_s.p99)),
    perSizing('$ per million tokens', (s) => cents(s.dollars_per_million_tokens_saved)),
    perSizing('net $ an hour', (s) => dollars(s.net_dollars_per_hour)),
    ...(plan.assumptions && plan.assumptions.codec_ratio > 1 ?
      [perSizing('cores coding', (s) => number(s.codec_cores))] : []),
  ];

  function fillRows() {
    const gap = plan.rows.length > 0 && plan.rows[0].gap_by_policy !== undefined;
    table('rows_table', [
      {title: 'policy', cell: (row) => row.policy}, {title: 'size', cell: (row) => row.size_percent + ' %'},
      {title: 'tokens hit', cell: (row) => percent(row.token_hit_ratio) +
        (row.token_hit_error === undefined ? '' : ' ± ' + number(100 * row.token_hit_error))},
      {title: 'FLOPs saved', cell: (row) => percent(row.flops_saved_ratio)},
      ...(gap ? [{title: 'missing: policy', cell: (row) => percent(row.gap_by_policy)},
        {title: 'missing: capacity', cell: (row) => percent(row.gap_by_capacity)}] : []),
      ...(sized.length > 0 ? SIZING_COLUMNS : [])], plan.rows,
    (row) => plan.recommendation && row.policy === plan.recommendation.policy &&
      row.size_percent === plan.recommendation.size_percent);
  }

  const LABELS = {
    bytes_per_token: ['KV cache of a token', bytes], codec: ['codec of the clients', String],
    codec_ratio: ['raw bytes over stored bytes', (v) => number(v, 3)],
    stored_bytes_per_token: ['stored of a token', bytes],
    codec_decode_bytes_per_s: ['decoding, raw bytes, one core', (v) => v === 0 ? 'takes no time' : bytes(v) + '/s'],
    codec_encode_bytes_per_s: ['encoding, raw bytes, one core', (v) => v === 0 ? 'takes no time' : bytes(v) + '/s'],
    codec_threads: ['threads of an engine that decode a load', String],
    core_dollars_per_hour: ['price of a core that codes', (v) => dollars(v) + ' an hour'], gpu: ['GPU', String],
    gpus: ['GPUs that compute one prompt', String],
    linear_flops_per_token: ['FLOPs of a token', (v) => v.toExponential(2)],
    attention_flops_per_token_and_depth: ['FLOPs of a token for each before it', (v) => v.toExponential(2)],
    prefill_flops_per_s: ['FLOPs per second that prefill reaches', (v) => v.toExponential(2)],
    client_gbit_per_s: ['network of an engine', (v) => v + ' Gbit/s'],
    gpu_dollars_per_hour: ['price of a GPU', (v) => dollars(v) + ' an hour'],
    ram_percent: ['share of the tier in RAM', (v) => v + ' %'], node_ram_bytes: ['RAM of a node', bytes],
    node_nvme_bytes: ['NVMe of a node', bytes], node_gbit_per_s: ['network of a node', (v) => v + ' Gbit/s'],
    node_nvme_read_bytes_per_s: ['reading from a node’s drives', (v) => bytes(v) + '/s'],
    nvme_endurance_dwpd: ['endurance', (v) => v + ' drive writes a day'],
    nvme_endurance_tbw: ['endurance of a node’s drives', (v) => v === 0 ? 'by drive writes' : v + ' TB'],
    nvme_life_years: ['life that endurance is stated for', (v) => v + ' years'],
    node_dollars_per_hour: ['price of a node without memory', (v) => dollars(v) + ' an hour'],
    ram_dollars_per_gb_month: ['price of RAM', (v) => dollars(v) + ' per GB and month'],
    nvme_dollars_per_tb_month: ['price of NVMe', (v) => dollars(v) + ' per TB and month'],
    slo_ttft_ms: ['SLO', (v) => v === 0 ? 'the tier’s bandwidth adds at most 5 %' : v + ' ms to the first token'],
    slo_percentile: ['at percentile', String],
  };

  function fillAssumptions() {
    const given = plan.assumptions;
    table('assumptions', [{title: 'what', cell: (name) => LABELS[name] ? LABELS[name][0] : name},
      {title: 'value', cell: (name) => LABELS[name] ? LABELS[name][1](given[name]) : String(given[name])}],
    Object.keys(given));
  }

  function figure(title, value, detail) {
    const box = element('div');
    const shown = element('dd', value);
    if (detail) shown.append(element('small', detail));
    box.append(element('dt', title), shown);
    byId('figures').append(box);
  }

  function fillRecommendation() {
    const advice = plan.recommendation;
    if (!advice) return;
    const sizing = advice.splits[advice.split];
    byId('recommendation').hidden = false;
    byId('verdict').textContent = `${advice.size_percent} % of the distinct blocks, evicted by ${advice.policy}: ` +
      `${bytes(sizing.ram_bytes)} of RAM and ${sizing.nvme_bytes ? bytes(sizing.nvme_bytes) : 'no'} NVMe on ` +
      `${sizing.nodes_for_slo} node${sizing.nodes_for_slo === 1 ? '' : 's'}.`;
    figure('tokens hit', percent(sizing.ram_hit_ratio + sizing.nvme_hit_ratio),
      percent(sizing.ram_hit_ratio) + ' RAM, ' + percent(sizing.nvme_hit_ratio) + ' NVMe');
    figure('median time to first token', number(sizing.ttft_with_s.p50) + ' s',
      number(sizing.ttft_without_s.p50) + ' s without');
    figure('p99 time to first token', number(sizing.ttft_with_s.p99) + ' s',
      number(sizing.ttft_without_s.p99) + ' s without');
    figure('a million tokens saved', cents(sizing.dollars_per_million_tokens_saved), dollars(sizing.dollars_per_hour) +
      ' an hour for the tier');
    figure('net worth an hour', dollars(sizing.net_dollars_per_hour),
      number(sizing.saved_gpu_hours_per_hour) + ' GPU hours saved');
    figure('nodes', String(sizing.nodes_for_slo), sizing.nodes_with_one_lost + ' to lose one; ' +
      percent(sizing.hit_ratio_after_loss) + ' hit right after');
    figure('loads from a node', bytes(sizing.read_per_node.mean_bytes_per_s) + '/s',
      bytes(sizing.read_per_node.p99_bytes_per_s) + '/s in the p99 second');
    figure('written to NVMe a day', bytes(sizing.written_bytes_per_day), sizing.endurance_bytes_per_day ?
      percent(sizing.written_bytes_per_day / sizing.endurance_bytes_per_day, 0) + ' of endurance' : 'no NVMe');
    if (sizing.codec_cores > 0) {
      figure('cores that code', number(sizing.codec_cores), plan.assumptions.codec + ', 1/' +
        number(plan.assumptions.codec_ratio, 2) + ' of the bytes');
    }
    for (const note of advice.notes) byId('notes').append(element('li', note));
    byId('serve').textContent = advice.serve;
    drawSplits(advice);
  }

  function drawSplits(advice) {
    byId('split').hidden = false;
    const labels = advice.splits.map((split) => number(split.ram_percent, 0) + ' %');
    const chart = (title, unit, write, ...series) => draw(card('split_cards', title, title + ' by share of RAM'),
      (colors) => ({type: 'line', data: {labels, datasets: series.map((one, index) =>
        line(one.label, advice.splits.map(one.pick), index))},
      scales: {x: axis('share of the tier in RAM, %', colors), y: axis(unit, colors, {axis: {beginAtZero: true}})},
      title: (items) => items[0].label + ' in RAM', write}));
    chart('Time to first token', 'seconds', (at) => number(at.y) + ' s', {label: 'p50', pick: (s) => s.ttft_with_s.p50},
      {label: 'p90', pick: (s) => s.ttft_with_s.p90}, {label: 'p99', pick: (s) => s.ttft_with_s.p99});
    chart('Worth', 'US$ per hour', (at) => dollars(at.y) + ' an hour', {label: 'tier', pick: (s) => s.dollars_per_hour},
      {label: 'net', pick: (s) => s.net_dollars_per_hour});
    const share = {title: 'RAM share', cell: (row) => number(row.sizing.ram_percent, 0) + ' %'};
    table('split_table', [share, ...SIZING_COLUMNS], advice.splits.map((split) => ({sizing: split})),
      (row) => row.sizing === advice.splits[advice.split]);
  }

  function fillHeader() {
    byId('source').textContent = plan.source;
    const hours = plan.trace_seconds / 3600;
    byId('facts').textContent = `${number(plan.requests, 0)} requests in ${hours >= 1 ? number(hours, 1) + ' h' :
      number(plan.trace_seconds, 0) + ' s'}, ${number(plan.input_tokens / 1e6, 1)} million prompt tokens, ` +
      `${number(plan.unique_blocks, 0)} distinct of ${number(plan.block_references, 0)} blocks of ` +
      `${plan.block_tokens} tokens, layout ${plan.layout}.` + (plan.sampled_blocks === undefined ? '' :
      ` Of the distinct blocks ${plan.sample_percent} % were simulated; behind ± is twice the standard error.`);
    document.title = 'incipit plan: ' + plan.source;
    const shards = plan.shards > 1 ? `; ${plan.shards} shards` : '';
    byId('made').textContent = `incipit plan, objective ${plan.objective}${shards}; ${number(plan.seconds, 1)} s.`;
    if (plan.warnings.length === 0) return;
    byId('warnings').hidden = false;
    for (const warning of plan.warnings) byId('warning_list').append(element('li', warning));
  }

  function drawDetails() {
    if (sized.length === 0) {
      byId('details').hidden = true;
      return;
    }
    const advice = plan.recommendation;
    for (const policy of sized) {
      byId('policy').append(new Option(policy, policy, false, advice && policy === advice.policy));
    }
    for (const size of sorted) {
      byId('size').append(new Option(size + ' %', String(size), false, advice && size === advice.size_percent));
    }
    const show = () => {
      byId('details_title').textContent = 'One policy in detail: ' + chosen();
      all.forEach((one) => one.update());
    };
    // Without a time span there is nothing per second, day or hour.
    const rated = plan.rows.some((row) => row.sizing && row.sizing.dollars_per_hour !== null);
    const all = [drawGap(), drawTiers(), drawTtft(),
      ...(rated ? [drawCost(), drawMoney(), drawBandwidth(), drawWear()] : [])];
    for (const id of ['policy', 'size']) byId(id).addEventListener('change', show);
    show();
  }

  fillHeader();
  fillRecommendation();
  drawHits();
  drawDetails();
  fillRows();
  fillAssumptions();
  const redraw = () => charts.forEach((one) => one.update());
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  window.addEventListener('beforeprint', () => { inPrint = true; redraw(); });
  window.addEventListener('afterprint', () => { inPrint = false; redraw(); });
})();
