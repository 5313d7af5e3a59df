// Runs in every document before the page's own scripts: gives it a clock that stands still between steps, keeps it from
// what waits for a human, and defines `__rlx`, all that the environment calls.
(() => {
  "use strict";
  const EPOCH = 1700000000000; // what the clock shows at first, in milliseconds since 1970
  const FRAME = 16; // between animation frames, in milliseconds
  const MOST_CALLS = 100000; // of timers, in one step
  const MOST_TIMERS = 1000; // at a time
  const MOST_ERRORS = 20; // that are kept
  const HIDDEN = new Set(["reward-display", "sync-task-cover", "click-canvas", "query"]); // MiniWoB++'s own
  const TEXTS = new Set(["text", "password", "search", "email", "tel", "url", "number"]);
  const ATTRIBUTES = ["placeholder", "readonly", "disabled", "href", "name"];

  const { stringify } = JSON; // before a page can replace it

  // What went wrong in the page, and what must end the episode.
  const errors = [];
  let fault = null;
  const note = (error) => errors.length < MOST_ERRORS && errors.push(String(error).slice(0, 200));
  window.addEventListener("error", (event) => note(event.message));
  window.addEventListener("unhandledrejection", (event) => note(event.reason));

  // The clock.
  const RealDate = Date;
  const later = window.setTimeout.bind(window);
  let now = 0;
  let made = 0;
  let depth = 0; // of timers that were set by timers
  let timers = new Map();
  window.Date = new Proxy(RealDate, {
    construct: (date, given, type) => Reflect.construct(date, given.length ? given : [EPOCH + now], type),
    apply: () => new RealDate(EPOCH + now).toString(),
  });
  RealDate.prototype.constructor = window.Date;
  RealDate.now = () => EPOCH + now;
  performance.now = () => now;

  const set = (handler, delay, given, isRepeated) => {
    // As in a browser: timers within timers are 4 ms apart.
    const wait = Math.max(depth >= 5 ? 4 : isRepeated ? 1 : 0, Number(delay) || 0);
    const call = typeof handler === "function" ? () => handler.apply(window, given) : () => later(handler);
    if (timers.size >= MOST_TIMERS) fault ??= `its timers never settle: ${MOST_TIMERS} of them are waiting`;
    timers.set(++made, { due: now + wait, call, every: isRepeated ? wait : null, depth: depth + 1 });
    return made;
  };
  const clear = (id) => void timers.delete(id);
  window.setTimeout = (handler, delay, ...given) => set(handler, delay, given, false);
  window.setInterval = (handler, delay, ...given) => set(handler, delay, given, true);
  window.requestAnimationFrame = (handler) => set(() => handler(now), FRAME, [], false);
  window.requestIdleCallback = (handler) => set(() => handler({ didTimeout: false, timeRemaining: () => 1 }), 1, [], false);
  window.clearTimeout = window.clearInterval = window.cancelAnimationFrame = window.cancelIdleCallback = clear;

  const earliest = () => {
    let found = null;
    for (const [id, timer] of timers) if (found === null || timer.due < found[1].due) found = [id, timer];
    return found;
  };
  const advance = (milliseconds) => {
    const end = now + milliseconds;
    for (let calls = 0; fault === null && !isDone(); calls++) {
      const [id, timer] = earliest() ?? [0, { due: Infinity }];
      if (timer.due > end) {
        now = end;
        return;
      }
      if (calls === MOST_CALLS) {
        fault = `its timers never settle: ${MOST_CALLS} calls in ${milliseconds} ms of its clock`;
        return;
      }
      now = Math.max(now, timer.due);
      timers.delete(id);
      // Last among those that are due at the same time.
      if (timer.every !== null) timers.set(id, { ...timer, due: timer.due + timer.every });
      depth = timer.depth;
      try {
        timer.call();
      } catch (error) {
        note(error);
      }
      depth = 0;
    }
  };

  // What waits for a human, or leads elsewhere.
  window.alert = window.print = () => undefined;
  window.confirm = () => false;
  window.prompt = window.open = () => null;
  for (const name of ["log", "debug", "info", "warn", "error", "dir", "table", "trace"]) console[name] = () => undefined;
  let isStarted = false;
  window.navigation?.addEventListener("navigate", (event) => {
    if (!isStarted || event.destination.sameDocument) return;
    fault ??= `it would leave for ${event.destination.url.slice(0, 200)}`;
    event.preventDefault();
  });

  // The task: MiniWoB++'s, or an object `task` of the page.
  const isMiniwob = () => typeof core === "object" && typeof genProblem === "function";
  const task = () => (typeof window.task === "object" && window.task) || {};
  const isDone = () => (isMiniwob() ? WOB_DONE_GLOBAL : Boolean(task().done));
  const result = () => {
    if (isMiniwob()) return [WOB_DONE_GLOBAL, WOB_RAW_REWARD_GLOBAL, WOB_REWARD_GLOBAL];
    const reward = Number(task().reward) || 0;
    return [isDone(), isDone() ? reward : 0, isDone() ? reward : 0];
  };
  const instruction = () => {
    const said = isMiniwob() ? core.getUtterance() : task();
    return typeof said === "string"
      ? { utterance: said, fields: null }
      : { utterance: String(said.utterance ?? document.title), fields: Object.entries(said.fields ?? {}) };
  };

  // What is seen.
  const references = new WeakMap();
  const tampered = new WeakSet();
  let referred = 0;
  let shown = new Map(); // elements by their reference
  document.addEventListener("click", (event) => tampered.add(event.target));
  const reference = (element) => {
    if (!references.has(element)) references.set(element, ++referred);
    return references.get(element);
  };
  const isBlank = (box) => box.width === 0 || box.height === 0;
  const isShownText = (text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return Array.from(range.getClientRects()).some((box) => !isBlank(box));
  };
  // The rules are those of MiniWoB++'s core.getDOMInfo, with each text in one piece; on other pages, what has no box is
  // there as well if something inside has one.
  const list = (element, parent, rows) => {
    const hasNoBox = isBlank(element.getBoundingClientRect());
    if (isMiniwob() && (hasNoBox || HIDDEN.has(element.id))) return;
    const inside = [];
    let isText = true;
    for (const child of element.childNodes) {
      if (child instanceof Element) isText = false;
      if (child instanceof Element || (child instanceof Text && child.data.trim())) inside.push(child);
    }
    const isInput = element instanceof HTMLInputElement;
    const hasValue = isInput || element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement;
    const attributes = {};
    for (const name of ATTRIBUTES) if (element.hasAttribute(name)) attributes[name] = element.getAttribute(name);
    const place = rows.length;
    const ref = reference(element);
    shown.set(ref, element);
    rows.push([
      ref,
      parent,
      isInput ? `${element.tagName}_${element.type}` : element.tagName,
      isText ? inside.map((text) => text.data.trim()).join(" ") : null,
      hasValue ? element.value : "",
      element.id,
      typeof element.className === "string" ? element.className : element.className.baseVal,
      attributes,
      isInput && element.checked,
      tampered.has(element),
      document.activeElement === element,
    ]);
    for (const child of isText ? [] : inside) {
      if (child instanceof Element) list(child, place, rows);
      else if (isShownText(child)) rows.push([0, place, "t", child.data.trim()]);
    }
    if (hasNoBox && parent >= 0 && rows.length === place + 1) {
      rows.pop();
      shown.delete(ref);
    }
  };
  const state = () => {
    const rows = [];
    shown = new Map();
    list(document.body, -1, rows);
    const [done, raw, reward] = result();
    return { rows, done, raw, reward, time: now - begun, errors, fault };
  };

  // Whether the page hears single keys: else a text can be put in at once.
  const KEYS = ["keydown", "keypress", "keyup", "beforeinput", "textInput", "input", "selectionchange"];
  let isListening = false;
  const { addEventListener } = EventTarget.prototype;
  EventTarget.prototype.addEventListener = function (type, ...given) {
    isListening ||= KEYS.includes(type);
    return addEventListener.call(this, type, ...given);
  };
  const hearsKeys = (element) => {
    const around = [window, document];
    for (let inner = element; inner !== null; inner = inner.parentElement) around.push(inner);
    return isListening || around.some((target) => KEYS.some((type) => target[`on${type}`]));
  };

  // What is done.
  const click = (element) => {
    if (element instanceof SVGElement) {
      for (const type of ["mousedown", "mouseup", "click"]) element.dispatchEvent(new Event(type));
    } else {
      element.click();
      element.focus();
    }
  };
  const isText = (element) =>
    (element instanceof HTMLInputElement && TEXTS.has(element.type)) || element instanceof HTMLTextAreaElement;
  const press = (element, character) => {
    const code = character.charCodeAt(0);
    const keyCode = /[a-z0-9 ]/i.test(character) ? character.toUpperCase().charCodeAt(0) : 0;
    const tell = (type, codes) =>
      element.dispatchEvent(
        new KeyboardEvent(type, { key: character, bubbles: true, cancelable: true, composed: true, ...codes }),
      );
    const isPress = tell("keydown", { keyCode, which: keyCode }) &&
      tell("keypress", { keyCode: code, charCode: code, which: code });
    if (isPress) document.execCommand("insertText", false, character);
    tell("keyup", { keyCode, which: keyCode });
  };

  // Pictures that style sheets put in an element's place give it a box only when they are there.
  const pictures = [];
  const load = (url) =>
    new Promise((done) => {
      const picture = new Image();
      pictures.push(picture);
      picture.onload = picture.onerror = done;
      picture.src = url;
    });
  const settle = async () => {
    const rules = Array.from(document.styleSheets, (sheet) => {
      try {
        return Array.from(sheet.cssRules, (rule) => [rule.style?.content ?? "", sheet.href ?? document.baseURI]);
      } catch {
        return []; // of another origin
      }
    }).flat();
    const urls = rules.map(([content, base]) => [/^url\("(.*)"\)$/.exec(content)?.[1], base]);
    await Promise.all(urls.filter(([url]) => url).map(([url, base]) => load(new URL(url, base).href)));
    await document.fonts.ready;
  };

  // The state, as soon as the pictures that the page has put in are there.
  const look = async () => {
    const ahead = Array.from(document.images).filter((picture) => !picture.complete);
    const heard = (picture) =>
      new Promise((done) => ["load", "error"].forEach((type) => picture.addEventListener(type, done, { once: true })));
    await Promise.all(ahead.map(heard));
    return state();
  };

  const enter = (text) => {
    const { activeElement } = document;
    if (activeElement.type !== "number" && !hearsKeys(activeElement)) {
      document.execCommand("insertText", false, text);
      return;
    }
    for (const character of text) {
      if (isDone() || !isText(document.activeElement)) break;
      press(document.activeElement, character);
    }
  };

  let begun = 0;
  const api = {
    // Returns itself when all is there.
    settled: async () => (await settle(), api),
    // The time limit of an episode, if the page has one.
    limit: () => stringify(isMiniwob() ? core.EPISODE_MAX_TIME : (task().limit ?? null)),
    start: async (seed, limit) => {
      if (isMiniwob()) {
        core.EPISODE_MAX_TIME = limit;
        Math.seedrandom(seed);
        core.startEpisodeReal();
      } else {
        task().start?.(seed);
      }
      isStarted = true;
      begun = now;
      return stringify({ ...instruction(), state: await look() });
    },
    // Clicks, types, and lets time pass; says null instead if what has the keyboard needs a real one.
    act: async (ref, text, milliseconds) => {
      const element = shown.get(ref);
      if (element !== undefined) click(element);
      if (text !== null && !isDone()) {
        if (!isText(document.activeElement)) return document.activeElement === document.body ? api.wait(milliseconds) : "null";
        enter(text);
      }
      return api.wait(milliseconds);
    },
    wait: async (milliseconds) => {
      advance(milliseconds);
      return stringify(await look());
    },
  };
  Object.defineProperty(window, "__rlx", { value: Object.freeze(api) });
})();
