// Owns asking for the token, where the studio is open to other machines.

import { api } from "../api.js";
import { h } from "../dom.js";
import { wordsOf } from "../notices.js";
import { Part } from "../part.js";

export class TokenSheet extends Part {
  #input = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true, "aria-describedby": "token-problem" });
  #problem = h("p", { class: "bad small-text", id: "token-problem", role: "alert" });
  #dialog = h("dialog", { "aria-labelledby": "token-title" });

  draw() {
    const form = h(
      "form",
      { class: "sheet", method: "dialog" },
      h("header", null, h("h2", { id: "token-title" }, "This studio needs its token")),
      h("p", { class: "soft" }, "It is the last part of the address that ", h("code", null, "impasto serve"), " printed when it started."),
      h("div", null, h("label", { for: "token" }, "Token"), this.#input, this.#problem),
      h("footer", null, h("button", { class: "button main" }, "Enter")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#enter();
    });
    this.#dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.#dialog.append(form);
    this.append(this.#dialog);
    document.addEventListener("token-needed", () => this.open());
  }

  open() {
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  async #enter() {
    try {
      await api.openSession(this.#input.value.trim());
      location.reload();
    } catch (error) {
      this.#input.setAttribute("aria-invalid", "true");
      this.#problem.textContent = wordsOf(error).text || "The token is wrong.";
      this.#input.focus();
    }
  }
}

customElements.define("token-sheet", TokenSheet);
