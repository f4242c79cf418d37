"use strict";
// The question browser. Everything from the data goes into text nodes, never into markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const PAGE = 25;
  const byId = (id) => document.getElementById(id);
  const controls = ["search", "seed", "entropy", "correctness", "kept", "sort"].map(byId);
  const [search, seed, entropy, correctness, kept, sort] = controls;
  let shown = [];
  let page = 0;

  const element = (tag, name, text, direction) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    if (direction) made.dir = "auto";
    return made;
  };
  const option = (value, text) => {
    const made = element("option", "", text);
    made.value = value;
    return made;
  };
  const named = (answer) => (answer === null ? "(unparsed)" : answer === "" ? "(empty)" : answer);
  const mark = (right) => (right === null ? "" : right ? " ✓ right" : " ✗ wrong");
  const tone = (right) => (right === null ? "" : right ? "right" : "wrong");
  const methods = (bits) => data.methods.filter((_, bit) => bits & (1 << bit));

  // The most frequent answer of a question's run; the first of them where several are.
  const majority = (run) => run.answers.reduce((best, answer) => (answer.share > best.share ? answer : best));

  const views = data.questions.flatMap((question, order) =>
    question.runs.flatMap((run, index) => (run === null ? [] : [{ question, run, order, seed: index, top: majority(run) }])));

  // What a search looks through; made when first needed, for it doubles the data.
  const haystack = (view) => (view.words ??= [
    view.question.id, view.question.text, view.question.gold, view.run.start, view.run.end,
    ...view.run.answers.flatMap((answer) => [answer.prompt, answer.said, answer.answer]),
  ].join("\n").toLowerCase());

  const tests = {
    right: (view) => view.top.right === true,
    wrong: (view) => view.top.right === false,
    mixed: (view) => new Set(view.run.answers.map((answer) => answer.right)).size > 1,
    differ: (view) => view.run.entropy > 0,
    unparsed: (view) => view.run.answers.some((answer) => answer.answer === null),
  };
  const orders = {
    data: (a, b) => a.order - b.order,
    uncertain: (a, b) => b.run.entropy - a.run.entropy || a.order - b.order,
    certain: (a, b) => a.run.entropy - b.run.entropy || a.order - b.order,
    mistakes: (a, b) => (b.top.right === false) - (a.top.right === false) || a.run.entropy - b.run.entropy || a.order - b.order,
  };

  // Entropy takes few values where all questions have the same number of variations; else ranges of it.
  const entropyOptions = () => {
    const counts = new Map();
    for (const { run } of views) counts.set(run.entropy, (counts.get(run.entropy) ?? 0) + 1);
    let levels = [...counts.keys()].sort((a, b) => a - b).map((value) => [value, value]);
    if (levels.length > 12) {
      const top = levels[levels.length - 1][0];
      levels = [[0, 0], ...[0, 1, 2, 3].map((part) => [(part * top) / 4 + 1e-9, ((part + 1) * top) / 4 + 1e-9])];
    }
    entropy.append(option("", "all"));
    for (const [low, high] of levels) {
      const text = high === 0 ? "0, unanimous" : low === high ? low.toFixed(2) : `${low.toFixed(2)} to ${high.toFixed(2)}`;
      entropy.append(option(`${low} ${high}`, text));
    }
  };

  const select = () => {
    const words = search.value.trim().toLowerCase();
    const [low, high] = entropy.value ? entropy.value.split(" ").map(Number) : [-1, Infinity];
    const [not, bit] = kept.value ? kept.value.split(" ").map(Number) : [0, -1];
    const test = tests[correctness.value] ?? (() => true);
    const all = views.filter((view) => view.seed === Number(seed.value));
    shown = all.filter((view) =>
      view.run.entropy >= low && view.run.entropy <= high && test(view) &&
      (bit < 0 || Boolean(view.run.kept & (1 << bit)) === !not) &&
      (!words || haystack(view).includes(words))).sort(orders[sort.value]);
    page = 0;
    const count = (number) => number.toLocaleString("en");
    byId("count").textContent = shown.length === all.length
      ? `${count(all.length)} questions` : `${count(shown.length)} of ${count(all.length)} questions`;
    draw();
  };

  const draw = () => {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    const views = shown.slice(page * PAGE, (page + 1) * PAGE);
    byId("list").replaceChildren(...(views.length ? views.map(row) : [element("p", "", "No question fits.")]));
    byId("pager").hidden = pages === 1;
    byId("where").textContent = `Page ${page + 1} of ${pages}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === pages - 1;
  };

  const row = (view) => {
    const details = element("details", "question");
    const summary = element("summary");
    summary.append(element("span", "text", view.question.text.trim() || view.question.id || "(empty)", true));
    const about = element("span", "about");
    about.append(answered(view.top.answer, view.top.right), ` · entropy ${view.run.entropy.toFixed(2)}`);
    summary.append(about);
    details.append(summary);
    // A closed question costs a line; its prompts are laid out when it is opened.
    details.addEventListener("toggle", () => {
      if (details.open && details.childElementCount === 1) details.append(inside(view));
    });
    return details;
  };

  const answered = (answer, right) => {
    const made = element("span", tone(right));
    const text = named(answer);
    made.append(element("bdi", "answer", text.length > 60 ? `${text.slice(0, 60)}…` : text), mark(right));
    return made;
  };

  const inside = ({ question, run }) => {
    const box = element("div", "inside");
    const facts = element("p", "note");
    facts.append(`Question ${question.id}`);
    if (question.gold !== null) facts.append(" · right answer: ", element("bdi", "answer", named(question.gold)));
    facts.append(` · ${run.kept ? `kept by ${methods(run.kept).join(", ")}` : data.methods.length ? "kept by no method" : ""}`);
    box.append(facts);
    for (const answer of run.answers) {
      const part = element("div", "variation");
      const line = element("p");
      line.append(`Variation ${answer.n}: `, answered(answer.answer, answer.right));
      line.append(` · confidence ${answer.r.toFixed(3)} · vote share ${answer.share.toFixed(2)}`);
      if (answer.kept) line.append(` · kept by ${methods(answer.kept).join(", ")}`);
      part.append(line, asked(run.start + answer.prompt + run.end, answer.said ?? answer.answer ?? ""));
      box.append(part);
    }
    return box;
  };

  // The prompt, and what the supervisor made of it.
  const asked = (prompt, said) => {
    const made = element("pre", "", prompt, true);
    made.append(prompt === "" || said.startsWith(" ") || said.startsWith("\n") ? "" : "\n", element("b", "said", said || "(empty)"));
    made.tabIndex = 0;
    made.setAttribute("role", "region");
    made.setAttribute("aria-label", "Prompt and answer");
    return made;
  };

  const turn = (by) => {
    page += by;
    draw();
    byId("questions").scrollIntoView();
    byId("list").querySelector("summary")?.focus({ preventScroll: true });
  };

  data.seeds.forEach((number, index) => seed.append(option(index, number)));
  byId("seed-label").hidden = data.seeds.length < 2;
  entropyOptions();
  kept.append(option("", "all"));
  data.methods.forEach((name, bit) => kept.append(option(`0 ${bit}`, `kept by ${name}`), option(`1 ${bit}`, `not kept by ${name}`)));
  if (!data.questions.some((question) => question.gold !== null)) {
    document.querySelectorAll("option[data-gold]").forEach((item) => item.remove());
  }
  byId("filters").hidden = false;
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(select));
  for (const control of controls.slice(1)) control.addEventListener("change", select);
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(select, 150);
  });
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  select();
})();
