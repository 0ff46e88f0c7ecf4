
'use strict';
(() => {
  const byId = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(byId(id).textContent);
  // Text goes into the page as text alone: it comes from feeds.
  const make = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // --- the data ----------------------------------------------------------------------------------

  const names = ['title', 'source', 'link', 'summary', 'published', 'added', 'lat', 'lon', 'method',
    'confidence', 'place', 'country', 'reason'];
  const alerts = read('alerts-data').map((row, number) => {
    const alert = { number };
    names.forEach((name, i) => { alert[name] = row[i]; });
    alert.time = alert.published ?? alert.added;
    alert.placed = alert.lat !== null;
    alert.words = `${alert.title}\n${alert.summary}\n${alert.place}`.toLowerCase();
    return alert;
  });
  const about = read('about-data');

  let regions = null;
  try {
    regions = new Intl.DisplayNames(['en'], { type: 'region' });
  } catch (error) {
    regions = null;  // the codes are shown instead
  }
  const country = (code) => {
    if (!/^[A-Z]{2}$/.test(code)) return code;
    return regions ? regions.of(code) : code;
  };
  // Once each: a country is its own place, and some reasons say what the method says.
  const joined = (between, ...parts) => [...new Set(parts.filter(Boolean))].join(between);
  const placeOf = (alert) => joined(', ', alert.place, country(alert.country));
  const timeText = (ms) => {
    const date = new Date(ms);
    if (ms === null || Number.isNaN(date.getTime())) return '';
    return date.toISOString().replace('T', ' ').replace(/:\d\d\.\d+Z$/, '');
  };
  const plural = (count, one) => `${count.toLocaleString('en')} ${one}${count === 1 ? '' : 's'}`;

  // A method's label, the variable of its colour and its shape: none is told by colour alone.
  const styles = {
    feed: ['its feed', '--feed', 'circle'],
    gazetteer_batch: ['gazetteer', '--gazetteer', 'square'],
    moonshot_batch: ['Moonshot', '--moonshot', 'diamond'],
    fallback: ['no place found', '--fallback', 'cross'],
    batch_pending: ['waiting', '--pending', 'cross'],
  };
  const styleOf = (method) =>
    styles[method] ?? [method.replace(/_batch$/, '').replace(/_/g, ' '), '--other', 'triangle'];
  const label = (method) => styleOf(method)[0];
  // How much of a mark is filled.
  const fills = { high: 1, medium: 0.45, low: 0 };
  const fillOf = (alert) => fills[alert.confidence] ?? 0;

  const outlines = {
    circle: (r) => Array.from({ length: 20 }, (_, i) =>
      [r * Math.cos(i * Math.PI / 10), r * Math.sin(i * Math.PI / 10)]),
    square: (r) => [[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]].map(
      ([x, y]) => [x * r, y * r]),
    diamond: (r) => [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]].map(([x, y]) => [x * r, y * r]),
    triangle: (r) => [[0, -1.2], [1.15, 0.8], [-1.15, 0.8]].map(([x, y]) => [x * r, y * r]),
  };
  const mark = (method, fill, colour = styleOf(method)[1]) => {
    const shape = styleOf(method)[2];
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    svg.setAttribute('class', 'mark');
    svg.setAttribute('viewBox', '-7 -7 14 14');
    svg.setAttribute('aria-hidden', 'true');
    const lines = shape === 'cross' ? 'M-4 -4L4 4M4 -4L-4 4'
      : `M${outlines[shape](5).map((point) => point.join(' ')).join('L')}Z`;
    path.setAttribute('d', lines);
    path.style.fill = `var(${colour})`;
    path.style.fillOpacity = fill;
    path.style.stroke = `var(${colour})`;
    path.style.strokeWidth = 2;
    svg.append(path);
    return svg;
  };

  // --- filters -----------------------------------------------------------------------------------

  const rowsAPage = 50;
  const state = {
    words: '', source: null, hidden: new Set(), unsure: new Set(),
    sort: 'time', down: true, page: 0, chosen: null, group: null,
  };
  let shown = [];

  const countBy = (list, key) => {
    const counts = new Map();
    for (const alert of list) counts.set(alert[key], (counts.get(alert[key]) ?? 0) + 1);
    return counts;
  };
  const sources = [...countBy(alerts, 'source')].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const order = Object.keys(styles);
  const rank = (method) => (order.indexOf(method) + order.length + 1) % (order.length + 1);
  const methods = [...countBy(alerts, 'method').keys()].sort(
    (a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const confidences = ['high', 'medium', 'low'].filter(
    (name) => alerts.some((alert) => alert.placed && alert.confidence === name));

  const found = (alert, besides) =>
    (state.source === null || alert.source === state.source) &&
    (state.words === '' || state.words.split(/\s+/).every((word) => alert.words.includes(word))) &&
    (besides === 'method' || !state.hidden.has(alert.method)) &&
    (besides === 'confidence' || !alert.placed || !state.unsure.has(alert.confidence));

  const sorters = {
    time: (alert) => alert.time ?? -Infinity,
    source: (alert) => alert.source.toLowerCase(),
    title: (alert) => alert.title.toLowerCase(),
    place: (alert) => placeOf(alert).toLowerCase(),
    method: (alert) => rank(alert.method),
    confidence: (alert) => ['high', 'medium', 'low', 'none'].indexOf(alert.confidence),
  };
  const sorted = (list) => {
    const key = sorters[state.sort];
    const keys = new Map(list.map((alert) => [alert, key(alert)]));
    const way = state.down ? -1 : 1;
    return [...list].sort((a, b) => {
      const x = keys.get(a), y = keys.get(b);
      return x < y ? -way : x > y ? way : a.number - b.number;
    });
  };

  const toggles = (box, values, off, key, text, picture) => {
    const totals = countBy(alerts.filter((alert) => key === 'method' || alert.placed), key);
    const drawn = values.map((value) => {
      const button = make('button', null, { type: 'button' });
      const count = make('span', '', { class: 'count' });
      button.append(picture(value), make('span', text(value)), count);
      button.addEventListener('click', () => {
        if (!off.delete(value)) off.add(value);
        refresh();
      });
      box.append(button);
      return { value, button, count };
    });
    return () => {
      const counts = countBy(
        alerts.filter((alert) => (key === 'method' || alert.placed) && found(alert, key)), key);
      for (const { value, button, count } of drawn) {
        const now = counts.get(value) ?? 0;
        const total = totals.get(value) ?? 0;
        button.setAttribute('aria-pressed', String(!off.has(value)));
        count.textContent = now === total ? now.toLocaleString('en')
          : `${now.toLocaleString('en')} of ${total.toLocaleString('en')}`;
      }
    };
  };
  const showMethods = toggles(byId('methods'), methods, state.hidden, 'method', label,
    (method) => mark(method, 1));
  const showConfidences = toggles(byId('confidences'), confidences, state.unsure, 'confidence',
    (name) => name, (name) => mark('feed', fills[name], '--text'));

  const fillSources = () => {
    const select = byId('source');
    select.append(make('option', `${sources.length === 1 ? 'one source' : `all ${plural(sources.length, 'source')}`} (${alerts.length})`));
    for (const [source, count] of sources) select.append(make('option', `${source || '(none)'} (${count})`));
    select.addEventListener('change', () => {
      state.source = select.selectedIndex === 0 ? null : sources[select.selectedIndex - 1][0];
      refresh();
    });
  };

  // --- what is beside and below the map ----------------------------------------------------------

  const choice = (alert, text) => {
    const button = make('button', text ?? alert.title, { type: 'button', class: 'plain', dir: 'auto' });
    button.addEventListener('click', () => choose(alert, true));
    return button;
  };
  // Only an address of the web is a link.
  const linkOf = (alert, text) => {
    let url = null;
    try {
      url = new URL(alert.link);
    } catch (error) {
      return null;
    }
    if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
    return make('a', text ?? url.hostname,
      { href: url.href, target: '_blank', rel: 'noopener noreferrer' });
  };
  const entry = (alert, note) => {
    const item = make('li');
    const line = make('div', null, { class: 'line' });
    line.append(mark(alert.method, fillOf(alert)), choice(alert));
    item.append(line);
    if (note) item.append(make('div', note, { class: 'quiet', dir: 'auto' }));
    return item;
  };

  const showAlert = (box, alert) => {
    if (state.group) {
      const back = make('button', `Back to ${plural(state.group.length, 'alert')} here`,
        { type: 'button' });
      back.addEventListener('click', () => { state.chosen = null; showChosen(); draw(); });
      box.append(back);
    }
    box.append(make('h3', alert.title, { dir: 'auto' }));
    if (alert.summary && alert.summary !== alert.title) {
      box.append(make('div', alert.summary, { dir: 'auto' }));
    }
    const list = make('dl');
    const add = (name, value) => {
      if (!value) return;
      const cell = make('dd', typeof value === 'string' ? value : null, { dir: 'auto' });
      if (typeof value !== 'string') cell.append(value);
      list.append(make('dt', name), cell);
    };
    add('Source', alert.source);
    add('Published', timeText(alert.published));
    add('Added', timeText(alert.added));
    add('Place', placeOf(alert));
    if (alert.placed) add('Position', `${alert.lat.toFixed(3)}, ${alert.lon.toFixed(3)}`);
    const how = make('span');
    how.append(mark(alert.method, fillOf(alert)), ` ${label(alert.method)}`);
    add('Placed by', how);
    if (alert.placed) add('Confidence', alert.confidence);
    if (alert.reason !== label(alert.method)) add(alert.placed ? 'Found by' : 'Why', alert.reason);
    add('Link', linkOf(alert));
    box.append(list);
  };
  const showGroup = (box, group) => {
    box.append(make('h2', `${plural(group.length, 'alert')} here`));
    const zoom = make('button', 'Zoom in here', { type: 'button' });
    zoom.addEventListener('click', () => fit(group));
    box.append(zoom);
    const list = make('ul');
    for (const alert of group.slice(0, rowsAPage)) {
      list.append(entry(alert, joined(' · ', timeText(alert.time), alert.source, placeOf(alert))));
    }
    if (group.length > rowsAPage) list.append(make('li', `and ${plural(group.length - rowsAPage, 'other')}`));
    box.append(list);
  };
  const showChosen = () => {
    const box = byId('chosen');
    box.replaceChildren();
    box.scrollTop = 0;
    box.classList.toggle('full', Boolean(state.chosen || state.group));
    if (state.chosen) {
      showAlert(box, state.chosen);
    } else if (state.group) {
      showGroup(box, state.group);
    } else {
      box.append(make('p', 'Choose an alert on the map, in the list or in the table.', { class: 'quiet' }));
    }
    for (const row of byId('rows').children) {
      row.classList.toggle('chosen', row.dataset.number === String(state.chosen?.number));
    }
  };

  const showLost = () => {
    const lost = shown.filter((alert) => !alert.placed);
    const list = byId('lost');
    byId('lost-title').textContent = `Without a place: ${lost.length.toLocaleString('en')}`;
    list.replaceChildren(...lost.slice(0, rowsAPage).map(
      (alert) => entry(alert, joined(' · ', label(alert.method), alert.reason, alert.source))));
    if (lost.length > rowsAPage) {
      list.append(make('li', `and ${(lost.length - rowsAPage).toLocaleString('en')} more, in the table`,
        { class: 'quiet' }));
    }
  };

  const columns = [['time', 'Time'], ['source', 'Source'], ['title', 'Title'], ['place', 'Place'],
    ['method', 'Placed by'], ['confidence', 'Confidence']];
  const showHead = () => {
    byId('head').replaceChildren(...columns.map(([key, name]) => {
      const cell = make('th', null, { scope: 'col' });
      const now = state.sort === key;
      const button = make('button', name + (now ? (state.down ? ' ▼' : ' ▲') : ''), { type: 'button' });
      cell.setAttribute('aria-sort', now ? (state.down ? 'descending' : 'ascending') : 'none');
      button.addEventListener('click', () => {
        state.down = now ? !state.down : key === 'time';
        state.sort = key;
        refresh();
        byId('head').children[columns.findIndex((column) => column[0] === key)].firstChild.focus();
      });
      cell.append(button);
      return cell;
    }));
  };
  const rowOf = (alert) => {
    const row = make('tr', null, { 'data-number': alert.number });
    const cell = (name, kind, ...parts) => {
      const made = make('td', null, { 'data-name': name, class: kind });
      const box = make('span', null, { dir: 'auto' });
      box.append(...parts);
      made.append(box);
      row.append(made);
    };
    cell('Time', 'time', timeText(alert.time));
    cell('Source', 'source', alert.source);
    const link = linkOf(alert, '↗');
    if (link) link.setAttribute('aria-label', 'Open the alert in a new window');
    cell('Title', 'title', choice(alert), ...(link ? ['\u00a0', link] : []));
    cell('Place', 'place', placeOf(alert) || (alert.placed ? `${alert.lat.toFixed(2)}, ${alert.lon.toFixed(2)}` : ''));
    cell('Placed by', 'method', mark(alert.method, fillOf(alert)), ` ${label(alert.method)}`);
    cell('Confidence', 'confidence', alert.placed ? alert.confidence : '');
    return row;
  };
  const showRows = () => {
    const pages = Math.max(1, Math.ceil(shown.length / rowsAPage));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const first = state.page * rowsAPage;
    byId('rows').replaceChildren(...shown.slice(first, first + rowsAPage).map(rowOf));
    byId('table-title').textContent = shown.length === alerts.length ? plural(alerts.length, 'alert')
      : `${shown.length.toLocaleString('en')} of ${plural(alerts.length, 'alert')}`;
    byId('none').hidden = shown.length > 0 || alerts.length === 0;
    byId('page').textContent = `page ${state.page + 1} of ${pages}`;
    byId('previous').disabled = state.page === 0;
    byId('next').disabled = state.page === pages - 1;
  };

  // --- the map -----------------------------------------------------------------------------------

  const canvas = byId('canvas');
  const ink = canvas.getContext('2d');
  const lines = (flat) => flat.map((line) => {
    const points = new Float32Array(line.length);
    for (let i = 0, x = 0, y = 0; i < line.length; i += 2) {
      x += line[i];
      y += line[i + 1];
      points[i] = x / 10;
      points[i + 1] = y / 10;
    }
    return points;
  });
  const outline = read('land-data');
  const land = lines(outline.land), borders = lines(outline.borders);

  // Degrees to pixels: the middle of the canvas is (lon, lat), `zoom` 1 shows the whole width.
  const view = { lon: 10, lat: 18, zoom: 1, width: 1, height: 1 };
  const zoomMax = 120;
  const scale = () => view.width / 360 * view.zoom;
  const toX = (lon) => view.width / 2 + (lon - view.lon) * scale();
  const toY = (lat) => view.height / 2 - (lat - view.lat) * scale();
  const keepInside = () => {
    view.zoom = Math.min(Math.max(view.zoom, 1), zoomMax);
    const halfWidth = view.width / 2 / scale(), halfHeight = view.height / 2 / scale();
    view.lon = halfWidth >= 180 ? 0 : Math.min(Math.max(view.lon, -180 + halfWidth), 180 - halfWidth);
    view.lat = halfHeight >= 90 ? 0 : Math.min(Math.max(view.lat, -90 + halfHeight), 90 - halfHeight);
  };
  const zoomBy = (factor, x = view.width / 2, y = view.height / 2) => {
    const lon = view.lon + (x - view.width / 2) / scale();
    const lat = view.lat - (y - view.height / 2) / scale();
    view.zoom = Math.min(Math.max(view.zoom * factor, 1), zoomMax);
    view.lon = lon - (x - view.width / 2) / scale();
    view.lat = lat + (y - view.height / 2) / scale();
    draw();
  };
  const world = () => { Object.assign(view, { lon: 0, lat: 18, zoom: 1 }); draw(); };
  const fit = (list) => {
    const placed = list.filter((alert) => alert.placed);
    if (placed.length === 0) return;
    let west = 180, east = -180, south = 90, north = -90;
    for (const { lon, lat } of placed) {
      west = Math.min(west, lon); east = Math.max(east, lon);
      south = Math.min(south, lat); north = Math.max(north, lat);
    }
    view.lon = (west + east) / 2;
    view.lat = (south + north) / 2;
    const room = 0.8;
    view.zoom = Math.min(360 * room / Math.max(east - west, 4),
      view.height / (view.width / 360) * room / Math.max(north - south, 2));
    draw();
  };

  // Alerts whose marks would cover each other are one group; groups keep still while one moves.
  const radiusOf = (one) => one.alerts.length === 1 ? 5.5
    : Math.min(10 + 2 * Math.log2(one.alerts.length), 25);
  // Each joins the nearest one before it that `near` lets it; `cell` is the most that this may be.
  const merge = (list, cell, near) => {
    const cells = new Map();
    const key = (x, y) => x * 1000003 + y;
    const kept = [];
    for (const one of list) {
      const cx = Math.floor(one.lon / cell), cy = Math.floor(one.lat / cell);
      let nearest = null, least = Infinity;
      for (let x = cx - 1; x <= cx + 1; ++x) {
        for (let y = cy - 1; y <= cy + 1; ++y) {
          for (const other of cells.get(key(x, y)) ?? []) {
            const off = Math.hypot(other.lon - one.lon, other.lat - one.lat);
            if (off < least && off < near(one, other)) { nearest = other; least = off; }
          }
        }
      }
      if (nearest) {
        nearest.alerts.push(...one.alerts);
        continue;
      }
      kept.push(one);
      const place = key(cx, cy);
      if (!cells.has(place)) cells.set(place, []);
      cells.get(place).push(one);
    }
    return kept;
  };
  let groups = [], groupedAt = null, placedNow = [];
  const group = () => {
    if (groupedAt === scale()) return;
    groupedAt = scale();
    const close = 16 / scale();
    groups = merge(placedNow.map(({ lon, lat, number }) => ({ lon, lat, alerts: [alerts[number]] })),
      close, () => close);
    for (const one of groups) {
      one.lon = one.alerts.reduce((sum, alert) => sum + alert.lon, 0) / one.alerts.length;
      one.lat = one.alerts.reduce((sum, alert) => sum + alert.lat, 0) / one.alerts.length;
    }
    // Then those whose circles overlap, the larger first.
    groups.sort((a, b) => b.alerts.length - a.alerts.length);
    groups = merge(groups, 50 / scale(),
      (one, other) => 0.9 * (radiusOf(one) + radiusOf(other)) / scale());
  };

  const colours = {};
  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    for (const name of ['water', 'land', 'coast', 'border', 'grid', 'panel', 'badge', 'ring', 'feed',
      'gazetteer', 'moonshot', 'other', 'fallback', 'pending']) {
      colours[`--${name}`] = style.getPropertyValue(`--${name}`).trim();
    }
  };

  const trace = (points, close) => {
    for (let i = 0; i < points.length; i += 2) {
      const x = toX(points[i]), y = toY(points[i + 1]);
      if (i === 0) ink.moveTo(x, y); else ink.lineTo(x, y);
    }
    if (close) ink.closePath();
  };
  const drawWorld = () => {
    ink.fillStyle = colours['--water'];
    ink.fillRect(0, 0, view.width, view.height);
    const left = Math.max(0, toX(-180)), right = Math.min(view.width, toX(180));
    ink.save();
    ink.beginPath();
    ink.rect(left, 0, right - left, view.height);
    ink.clip();
    ink.beginPath();
    for (let lon = -150; lon <= 150; lon += 30) { ink.moveTo(toX(lon), toY(90)); ink.lineTo(toX(lon), toY(-90)); }
    for (let lat = -60; lat <= 60; lat += 30) { ink.moveTo(toX(-180), toY(lat)); ink.lineTo(toX(180), toY(lat)); }
    ink.strokeStyle = colours['--grid'];
    ink.lineWidth = 1;
    ink.stroke();
    ink.beginPath();
    for (const ring of land) trace(ring, true);
    ink.fillStyle = colours['--land'];
    ink.fill('evenodd');
    ink.lineJoin = 'round';
    ink.strokeStyle = colours['--coast'];
    ink.lineWidth = 0.8;
    ink.stroke();
    ink.beginPath();
    for (const line of borders) trace(line, false);
    ink.strokeStyle = colours['--border'];
    ink.stroke();
    ink.restore();
  };
  const drawMark = (alert, x, y, r) => {
    const [, colour, shape] = styleOf(alert.method);
    ink.beginPath();
    (outlines[shape] ?? outlines.circle)(r).forEach(([dx, dy], i) => {
      if (i === 0) ink.moveTo(x + dx, y + dy); else ink.lineTo(x + dx, y + dy);
    });
    ink.closePath();
    ink.lineWidth = 4;
    ink.strokeStyle = colours['--panel'];
    ink.stroke();
    ink.fillStyle = colours['--panel'];
    ink.fill();
    ink.fillStyle = colours[colour];
    ink.globalAlpha = fillOf(alert);
    ink.fill();
    ink.globalAlpha = 1;
    ink.lineWidth = 2;
    ink.strokeStyle = colours[colour];
    ink.stroke();
  };
  // A ring in the shares of the methods, and how many.
  const drawGroup = (one, x, y, r) => {
    ink.beginPath();
    ink.arc(x, y, r, 0, 2 * Math.PI);
    ink.fillStyle = colours['--panel'];
    ink.fill();
    ink.lineWidth = 4;
    let from = -Math.PI / 2;
    for (const [method, count] of countBy(one.alerts, 'method')) {
      const to = from + 2 * Math.PI * count / one.alerts.length;
      ink.beginPath();
      ink.arc(x, y, r - 2, from, to);
      ink.strokeStyle = colours[styleOf(method)[1]];
      ink.stroke();
      from = to;
    }
    const count = one.alerts.length;
    ink.fillStyle = colours['--badge'];
    ink.font = `600 ${r > 14 ? 12 : 11}px system-ui, sans-serif`;
    ink.textAlign = 'center';
    ink.textBaseline = 'middle';
    ink.fillText(count < 1000 ? String(count) : `${(count / 1000).toFixed(count < 9950 ? 1 : 0)}k`, x, y + 0.5);
  };
  const drawNow = () => {
    keepInside();
    group();
    drawWorld();
    let ringed = null;
    for (const one of groups) {
      one.x = toX(one.lon);
      one.y = toY(one.lat);
      one.r = radiusOf(one);
      if (one.x < -30 || one.y < -30 || one.x > view.width + 30 || one.y > view.height + 30) continue;
      if (one.alerts.length === 1) drawMark(one.alerts[0], one.x, one.y, one.r);
      else drawGroup(one, one.x, one.y, one.r);
      if (state.chosen ? one.alerts.includes(state.chosen) : state.group && one.alerts === state.group) ringed = one;
    }
    if (!ringed) return;
    ink.beginPath();
    ink.arc(ringed.x, ringed.y, ringed.r + 5, 0, 2 * Math.PI);
    ink.lineWidth = 3;
    ink.strokeStyle = colours['--ring'];
    ink.stroke();
  };
  let waiting = false;
  const draw = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawNow(); });
  };
  const resize = () => {
    const dots = window.devicePixelRatio || 1;
    view.width = Math.max(canvas.clientWidth, 1);
    view.height = Math.max(canvas.clientHeight, 1);
    canvas.width = Math.round(view.width * dots);
    canvas.height = Math.round(view.height * dots);
    ink.setTransform(dots, 0, 0, dots, 0, 0);
    drawNow();
  };

  // --- choosing ----------------------------------------------------------------------------------

  function choose(alert, move) {
    state.chosen = alert;
    if (state.group && !state.group.includes(alert)) state.group = null;
    if (move && alert.placed) {
      const x = toX(alert.lon), y = toY(alert.lat);
      if (x < 40 || y < 40 || x > view.width - 40 || y > view.height - 40) {
        view.lon = alert.lon;
        view.lat = alert.lat;
      }
    }
    showChosen();
    draw();
  }
  const step = (by) => {
    if (shown.length === 0) return;
    const at = shown.indexOf(state.chosen);
    const to = at < 0 ? 0 : (at + by + shown.length) % shown.length;
    state.page = Math.floor(to / rowsAPage);
    showRows();
    choose(shown[to], true);
  };
  const groupAt = (x, y) => {
    let nearest = null, least = Infinity;
    for (const one of groups) {
      const off = Math.hypot(one.x - x, one.y - y) - one.r;
      if (off < 5 && off < least) { nearest = one; least = off; }
    }
    return nearest;
  };
  const hint = byId('hint');
  const point = (x, y) => {
    const one = groupAt(x, y);
    canvas.classList.toggle('over', one !== null);
    hint.hidden = one === null;
    if (!one) return;
    const alert = one.alerts[0];
    const single = one.alerts.length === 1;
    hint.replaceChildren(
      make('div', single ? alert.title : plural(one.alerts.length, 'alert'), { dir: 'auto' }),
      make('div', single ? joined(' · ', placeOf(alert), alert.source)
        : joined(' · ', ...one.alerts.slice(0, 4).map(placeOf)), { class: 'quiet', dir: 'auto' }));
    const wide = hint.offsetWidth, high = hint.offsetHeight;
    hint.style.left = `${Math.min(Math.max(one.x + 14, 4), Math.max(view.width - wide - 4, 4))}px`;
    hint.style.top = `${one.y + 18 + high > view.height ? Math.max(one.y - high - 14, 4) : one.y + 14}px`;
  };
  const click = (x, y) => {
    hint.hidden = true;
    const one = groupAt(x, y);
    state.chosen = one && one.alerts.length === 1 ? one.alerts[0] : null;
    state.group = one && one.alerts.length > 1 ? one.alerts : null;
    showChosen();
    draw();
  };

  const fingers = new Map();
  let moved = false;
  const listen = () => {
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left - canvas.clientLeft, y: event.clientY - box.top - canvas.clientTop };
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      if (fingers.size === 0) moved = false;
      fingers.set(event.pointerId, { ...at(event), startX: event.clientX, startY: event.clientY });
    });
    canvas.addEventListener('pointermove', (event) => {
      const now = at(event);
      const before = fingers.get(event.pointerId);
      if (!before) {
        point(now.x, now.y);
        return;
      }
      if (Math.hypot(event.clientX - before.startX, event.clientY - before.startY) > 4) moved = true;
      if (!moved) return;
      hint.hidden = true;
      canvas.classList.add('drag');
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      view.lon -= (now.x - before.x) / scale() / fingers.size;
      view.lat += (now.y - before.y) / scale() / fingers.size;
      if (other) {
        const factor = Math.hypot(now.x - other.x, now.y - other.y) /
          Math.max(Math.hypot(before.x - other.x, before.y - other.y), 1);
        zoomBy(factor, (now.x + other.x) / 2, (now.y + other.y) / 2);
      }
      Object.assign(before, now);
      draw();
    });
    const lift = (event) => {
      if (!fingers.delete(event.pointerId)) return;
      canvas.classList.remove('drag');
      const now = at(event);
      if (!moved && event.type === 'pointerup') click(now.x, now.y);
    };
    canvas.addEventListener('pointerup', lift);
    canvas.addEventListener('pointercancel', lift);
    canvas.addEventListener('pointerleave', () => { hint.hidden = true; });
    canvas.addEventListener('dblclick', (event) => { const { x, y } = at(event); zoomBy(2, x, y); });
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const { x, y } = at(event);
      const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
      hint.hidden = true;
      zoomBy(Math.exp(-Math.min(Math.max(pixels, -200), 200) / 300), x, y);
    }, { passive: false });
    const pan = (x, y) => { view.lon += x * 60 / scale(); view.lat += y * 60 / scale(); draw(); };
    const keys = {
      ArrowLeft: () => pan(-1, 0), ArrowRight: () => pan(1, 0), ArrowUp: () => pan(0, 1),
      ArrowDown: () => pan(0, -1), '+': () => zoomBy(1.5), '=': () => zoomBy(1.5),
      '-': () => zoomBy(1 / 1.5), 0: world, f: () => fit(shown), n: () => step(1), p: () => step(-1),
      Escape: () => { state.chosen = null; state.group = null; showChosen(); draw(); },
    };
    canvas.addEventListener('keydown', (event) => {
      const act = keys[event.key];
      if (!act || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      act();
    });
    byId('in').addEventListener('click', () => zoomBy(1.6));
    byId('out').addEventListener('click', () => zoomBy(1 / 1.6));
    byId('fit').addEventListener('click', () => fit(shown));
    byId('world').addEventListener('click', world);
    byId('previous').addEventListener('click', () => { state.page -= 1; showRows(); showChosen(); });
    byId('next').addEventListener('click', () => { state.page += 1; showRows(); showChosen(); });
    byId('filters').addEventListener('submit', (event) => event.preventDefault());
    byId('words').addEventListener('input', () => {
      state.words = byId('words').value.trim().toLowerCase();
      refresh();
    });
    byId('all').addEventListener('click', () => {
      Object.assign(state, { words: '', source: null });
      state.hidden.clear();
      state.unsure.clear();
      byId('words').value = '';
      byId('source').selectedIndex = 0;
      refresh();
    });
  };

  function refresh() {
    shown = sorted(alerts.filter((alert) => found(alert)));
    placedNow = alerts.filter((alert) => alert.placed && found(alert));
    groupedAt = null;
    state.page = 0;
    state.group = null;
    if (state.chosen && !found(state.chosen)) state.chosen = null;
    showMethods();
    showConfidences();
    showHead();
    showRows();
    showLost();
    showChosen();
    draw();
  }

  const placedCount = alerts.filter((alert) => alert.placed).length;
  byId('about').textContent = `${plural(alerts.length, 'alert')}, ${placedCount.toLocaleString('en')} of them on the map` +
    (about.since === null ? '' : `; added since ${timeText(about.since)}`) + `; as of ${timeText(about.written_at)} UTC`;
  fillSources();
  readColours();
  listen();
  refresh();
  new ResizeObserver(resize).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColours(); draw(); });
})();
