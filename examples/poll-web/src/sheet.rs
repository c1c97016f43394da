//! Invitations on paper: a cell for each, to cut apart.

use leptos::portal::Portal;
use leptos::prelude::*;

use crate::share::picture;

/// One invitation that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Its place in the order in which they were made, from one.
    pub(crate) number: usize,
    /// The address that the invited person opens.
    pub(crate) address: String,
}

/// The sheet. It is only seen on paper, and nothing else of the page is there then.
#[component]
pub(crate) fn Sheet(title: String, cells: Vec<Cell>) -> impl IntoView {
    let (title, cells) = (StoredValue::new(title), StoredValue::new(cells));
    let one = move |Cell { number, address }: Cell| {
        let code = picture(&address, format!("QR code of invitation {number}"));
        view! {
            <li>
                <p class="number">{format!("No. {number}")}</p>
                <p class="title"><bdi>{title.get_value()}</bdi></p>
                {code}
                <p class="link">{address}</p>
            </li>
        }
    };
    view! {
        <Portal>
            <ol class="sheet" data-testid="sheet">{cells.get_value().into_iter().map(one).collect_view()}</ol>
        </Portal>
    }
}
