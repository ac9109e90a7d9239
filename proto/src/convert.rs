//! Between the wire and `types`: `TryFrom` inwards, `From` outwards.
//!
//! Inwards every object is parsed by the one strict parser of its type, so what comes out keeps its
//! rules. Sizes are bounded before, by the largest message that a server or client takes.

use types::FormatError;

mod commit;
mod detail;
mod head;
mod link;

pub use detail::{DETAIL_KEY, detail_of, status_with_detail};

/// Why a message is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A field that must be there is not.
    #[error("{message} has no {field}")]
    Missing {
        /// The message.
        message: &'static str,
        /// Its field.
        field: &'static str,
    },
    /// A field holds no such object.
    #[error("read the {field}{}", place(*at))]
    Format {
        /// The field.
        field: &'static str,
        /// Its place, from 0, if it is one of many.
        at: Option<usize>,
        /// What is wrong with it.
        #[source]
        error: FormatError,
    },
}

impl ConvertError {
    /// Whether a newer version of Holdfast could read it.
    pub const fn is_update(&self) -> bool {
        matches!(self, Self::Format { error, .. } if error.is_update())
    }

    fn format(
        field: &'static str,
        at: impl Into<Option<usize>>,
    ) -> impl FnOnce(FormatError) -> Self {
        let at = at.into();
        move |error| Self::Format { field, at, error }
    }
}

fn place(at: Option<usize>) -> String {
    at.map_or_else(String::new, |at| format!(" at {at}"))
}
