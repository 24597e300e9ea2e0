/* Additions for browsers with scripts: a copy button on every block of code, a menu that closes by itself, a mark at the
   current chapter, a link back to the top, and the filter of the index. */
"use strict";

const offerCopy = (block) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector("code").textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  const lines = block.querySelector("code").textContent.trim().includes("\n") ? "several" : "single";
  block.classList.add("copyable", lines);
  block.append(button);
};
document.querySelectorAll(".code").forEach(offerCopy);

const menu = document.querySelector(".menu");
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  if (menu.open && !menu.contains(event.target)) menu.open = false;
});

const list = document.querySelector(".chapters");
if (list) {
  const heading = (link) => document.getElementById(decodeURIComponent(link.hash.slice(1)));
  const chapters = [...list.querySelectorAll("a")].map((link) => [link, heading(link)]);
  const mark = () => {
    const reached = chapters.filter(([, one]) => one.getBoundingClientRect().top < innerHeight / 3);
    const [current] = reached.at(-1) || [];
    for (const [link] of chapters) {
      if (link === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    if (current && list.scrollHeight > list.clientHeight) {
      const { top, bottom } = current.getBoundingClientRect();
      const frame = list.getBoundingClientRect();
      if (top < frame.top || bottom > frame.bottom) list.scrollTop += top - frame.top - list.clientHeight / 2;
    }
  };
  const watch = new IntersectionObserver(mark, { rootMargin: "9999999px 0px -66% 0px" });
  for (const [, one] of chapters) watch.observe(one);
}

const up = document.querySelector(".up");
if (up) {
  up.classList.add("floats", "away");
  const near = (entries) => up.classList.toggle("away", entries.at(-1).isIntersecting);
  new IntersectionObserver(near, { rootMargin: "100% 0px 0px 0px" }).observe(document.querySelector("h1"));
}

const filter = document.querySelector(".filter");
if (filter) {
  const input = filter.querySelector("input");
  const found = filter.querySelector("p");
  const sections = [...document.querySelectorAll(".index section")];
  const narrow = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const section of sections) {
      const title = section.querySelector("h2").textContent;
      let left = 0;
      for (const entry of section.querySelectorAll("li")) {
        const text = `${title} ${entry.textContent}`.toLowerCase();
        entry.hidden = !words.every((word) => text.includes(word));
        if (!entry.hidden) left += 1;
      }
      section.hidden = left === 0;
      count += left;
    }
    found.textContent = words.length ? `${count || "Nothing"} found` : "";
  };
  filter.hidden = false;
  input.addEventListener("input", narrow);
  narrow();
}
