"use strict";
(async () => {
  const packed = document.getElementById("examples");
  if (!packed || !window.DecompressionStream) return;
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  packed.remove();

  const SIZE = 50;
  const total = data.text.length;
  const stages = data.stages;
  const first = stages[0];
  const last = stages[stages.length - 1];
  const scored = last.right.includes("1") || last.right.includes("0");
  const lower = data.text.map((text) => text.toLowerCase());
  const short = [data.gold, ...stages.map((stage) => stage.said)].every(
    (coded) => coded.names.every((text) => text.length <= 20),
  );
  const name = (coded, row) => (coded.rows[row] < 0 ? null : coded.names[coded.rows[row]]);

  const kinds = [
    ["all", "all examples", () => true],
    ["apart", "annotator and student differ", (r) => name(first.said, r) !== name(last.said, r)],
    ["abstained", "annotator abstained at first", (r) => first.said.rows[r] < 0],
    ["trusted", "trusted", (r) => data.trusted[r] === "1"],
    ["untrusted", "not trusted", (r) => data.trusted[r] === "0"],
  ];
  if (scored) {
    kinds.push(
      ["annotator", "annotator wrong at first", (r) => first.right[r] === "0"],
      ["student", "student wrong in the end", (r) => last.right[r] === "0"],
      ["both", "both wrong", (r) => first.right[r] === "0" && last.right[r] === "0"],
      ["believed", "trusted, and wrong", (r) => data.trusted[r] === "1" && last.right[r] === "0"],
    );
  }
  const orders = {
    pool: ["as drawn", (a, b) => a - b],
    sure: ["least certain first", (a, b) => data.sure[a] - data.sure[b]],
    loss: ["largest loss first", (a, b) => (data.loss[b] ?? -1) - (data.loss[a] ?? -1)],
  };

  const make = (tag, text, settings = {}) => {
    const made = Object.assign(document.createElement(tag), settings);
    if (text !== undefined && text !== null) made.textContent = text;
    return made;
  };
  const choice = (title, options) => {
    const box = make("select");
    for (const [value, text] of options) box.append(make("option", text, { value }));
    const around = make("label", title);
    around.append(box);
    return [around, box];
  };

  const search = make("input", null, { type: "search", autocomplete: "off" });
  const searching = make("label", "Search");
  searching.append(search);
  const [kinding, kind] = choice("Show", kinds.map(([value, text]) => [value, text]));
  const [ordering, order] = choice("Order", Object.entries(orders).map(([k, [text]]) => [k, text]));
  const names = scored && data.gold.names.length <= 100 ? data.gold.names : last.said.names.slice(0, 100);
  const by = scored && data.gold.names.length <= 100 ? data.gold : last.said;
  const [labelling, label] = choice(by === data.gold ? "Gold" : `Label of ${last.name}`,
    [["", "any"], ...names.map((text, k) => [String(k), text])]);
  const controls = document.getElementById("controls");
  controls.append(searching, kinding, labelling, ordering);
  controls.hidden = false;
  document.documentElement.classList.add("scripted");

  const body = document.querySelector(".examples tbody");
  const pages = document.getElementById("pages");
  const back = make("button", "Back", { type: "button" });
  const on = make("button", "Next", { type: "button" });
  const said = make("span");
  pages.append(back, on, said);
  let found = [];
  let page = 0;

  const digits = (value) => (value === null ? "" : value.toFixed(2));
  const prompts = data.prompts;
  const prompt = (row) => {
    const made = make("details");
    made.append(make("summary", "prompt"));
    made.addEventListener("toggle", () => {
      const said = prompts.rows[row].map((k) => prompts.messages[k].replace("\0", () => data.text[row]));
      made.append(make("pre", said.join("\n\n")));
    }, { once: true });
    return made;
  };
  const line = (row) => {
    const made = make("tr");
    const text = make("td", data.text[row], { className: "text" });
    const reason = data.reason && data.reason[row];
    const reply = data.reply && data.reply[row];
    if (reason) text.append(make("span", `abstained: ${reason}`, { className: "reply" }));
    if (reply) text.append(make("span", `reply: ${reply}`, { className: "reply" }));
    if (prompts && prompts.rows[row] && prompts.rows[row].length) text.append(prompt(row));
    made.append(text, make("td", name(data.gold, row) ?? ""));
    for (const stage of stages) {
      const mark = { 1: "right", 0: "wrong" }[stage.right[row]] ?? "";
      made.append(make("td", name(stage.said, row) ?? "abstained", { className: mark }));
    }
    made.append(make("td", digits(data.loss[row]), { className: "n" }));
    made.append(make("td", digits(data.sure[row]), { className: "n" }));
    made.append(make("td", data.trusted[row] === "1" ? "yes" : ""));
    return made;
  };
  if (short) body.classList.add("short");
  const draw = () => {
    const most = Math.max(1, Math.ceil(found.length / SIZE));
    page = Math.min(Math.max(page, 0), most - 1);
    body.replaceChildren(...found.slice(page * SIZE, (page + 1) * SIZE).map(line));
    body.closest(".scroll").scrollTop = 0;
    said.textContent = found.length
      ? `${(page * SIZE + 1).toLocaleString("en")}–${Math.min(found.length, (page + 1) * SIZE).toLocaleString("en")} of ${found.length.toLocaleString("en")}`
      : "no example";
    back.disabled = page === 0;
    on.disabled = page >= most - 1;
  };
  const select = () => {
    const wanted = search.value.toLowerCase();
    const keep = kinds.find(([value]) => value === kind.value)[2];
    found = [];
    for (let row = 0; row < total; row += 1) {
      if (wanted && !lower[row].includes(wanted)) continue;
      if (label.value !== "" && by.rows[row] !== Number(label.value)) continue;
      if (keep(row)) found.push(row);
    }
    found.sort(orders[order.value][1]);
    page = 0;
    draw();
  };
  back.addEventListener("click", () => { page -= 1; draw(); });
  on.addEventListener("click", () => { page += 1; draw(); });
  for (const one of [kind, label, order]) one.addEventListener("change", select);
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(select, 120); });
  select();
})();
