//! A declarative file in the place of everything that is kept.

use std::sync::Arc;

use gateway_core::config::{Checked, Places};

use super::{Control, Draft, Loaded, Mode, Written, draft::keeping, served::hash};
use crate::{Refusal, aligned, store::Note, times};

/// Why a text is not taken: for what is in it, or because who asks does not want it now.
enum Refused<E> {
    AsText(Refusal),
    ByCheck(E),
}

impl<E> From<Refusal> for Refused<E> {
    fn from(refusal: Refusal) -> Self {
        Self::AsText(refusal)
    }
}

impl Control {
    /// Puts the declarative file `text` in the place of everything.
    ///
    /// # Errors
    /// Everything that is wrong with it, or what the store said; then nothing has changed.
    pub fn replace(&self, text: &str, note: &Note) -> Result<Loaded, Refusal> {
        let written = self.write_text(text, note, Mode::Make, |_| Ok::<_, Refusal>(()))?;
        Ok(Loaded::of(hash(written.revision), Arc::new(written.changed.config)))
    }

    /// The same, or only tried, where `check` lets it.
    pub(crate) fn write_text<E: From<Refusal>>(
        &self,
        text: &str,
        note: &Note,
        mode: Mode,
        check: impl Fn(&Draft<'_>) -> Result<(), E>,
    ) -> Result<Written<()>, E> {
        let located = |refusal| {
            let refusal = match refusal {
                Refusal::Problems(problems) => Refusal::Problems(problems.located(&Places::of(text))),
                other => other,
            };
            // What is only tried did not fail.
            if mode == Mode::Make {
                self.loads.fail(refusal.to_string());
            }
            E::from(refusal)
        };
        let next = Checked::parse(text, keeping(&self.gateway.plugins()))
            .map_err(|problems| located(problems.into()))?;
        let replace = |draft: &mut Draft<'_>| {
            check(draft).map_err(Refused::ByCheck)?;
            let next = aligned(draft.config(), next.config().clone());
            let change = times::change(draft.config(), &next);
            draft.apply(&change).map_err(|problems| Refused::AsText(problems.into()))
        };
        let written = self.write(note, mode, replace).map_err(|refused| match refused {
            Refused::ByCheck(error) => error,
            Refused::AsText(refusal) => located(refusal),
        })?;
        if mode == Mode::Make {
            self.loads.succeed();
        }
        Ok(written)
    }
}
