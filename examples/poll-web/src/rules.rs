//! The rules of a poll, to choose from.

use hustings_protocol::{Admission, Ballots, Results};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

use crate::words;

/// The rules of one kind, in the order in which they are offered.
pub(crate) trait Rule: Copy + PartialEq + Send + Sync + 'static {
    /// All of them.
    const ALL: &[Self];

    /// The name of one, and what it means.
    fn words(self) -> (&'static str, &'static str);

    /// The word for it in the page.
    fn word(self) -> &'static str;
}

impl Rule for Admission {
    const ALL: &[Self] = &[Self::Link, Self::Invited];

    fn words(self) -> (&'static str, &'static str) {
        words::admission(self)
    }

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Rule for Ballots {
    const ALL: &[Self] = &[Self::Secret, Self::Open];

    fn words(self) -> (&'static str, &'static str) {
        words::ballots(self)
    }

    fn word(self) -> &'static str {
        self.as_str()
    }
}

impl Rule for Results {
    const ALL: &[Self] = &[Self::Live, Self::AfterVote, Self::AfterClose];

    fn words(self) -> (&'static str, &'static str) {
        words::results(self)
    }

    fn word(self) -> &'static str {
        self.as_str()
    }
}

/// A choice among them, each with a sentence that says what it means. `name` tells the choices of a
/// page apart.
#[component]
pub(crate) fn Choose<R: Rule>(
    name: &'static str,
    legend: &'static str,
    #[prop(into)] chosen: Signal<R>,
    choose: impl Fn(R) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let one = move |rule: R| {
        let (label, meaning) = rule.words();
        let id = format!("{name}-{}", rule.word());
        let described = id.clone();
        let is_chosen = move || chosen.get() == rule;
        let on_change = move |_| {
            choose(rule);
            // It shows what is so, which may follow later, or be refused.
            tick(name, chosen.get_untracked());
        };
        view! {
            <div class="rule">
                <label class="check"><input type="radio" name=name value=rule.word() prop:checked=is_chosen
                    aria-describedby=described on:change=on_change />{label}</label>
                <p class="hint" id=id>{meaning}</p>
            </div>
        }
    };
    view! {
        <fieldset class="field rules">
            <legend>{legend}</legend>
            {R::ALL.iter().map(|rule| one(*rule)).collect_view()}
        </fieldset>
    }
}

/// Ticks a rule, and with that no other.
fn tick<R: Rule>(name: &str, rule: R) {
    let selector = format!("input[name={name}][value={}]", rule.word());
    let field = document().query_selector(&selector).ok().flatten();
    let field = field.and_then(|field| field.dyn_into::<HtmlInputElement>().ok());
    if let Some(field) = field {
        field.set_checked(true);
    }
}
