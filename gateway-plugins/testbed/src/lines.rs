//! Lines that plugins write: each goes to the test of its session.

use std::{
    cell::RefCell,
    fmt::{Debug, Write},
    sync::Arc,
};

use plugin_sdk::testing::wire::Tell;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

use crate::link::Link;

thread_local! {
    /// The session that this thread works for.
    static SESSION: RefCell<Option<Arc<Link>>> = const { RefCell::new(None) };
}

/// From now on lines are looked at.
pub(crate) fn begin() {
    tracing_subscriber::registry().with(Lines).init();
}

/// This thread works for the session of this link from now on.
pub(crate) fn belong(link: &Arc<Link>) {
    SESSION.set(Some(Arc::clone(link)));
}

struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "plugin" {
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let level = match *event.metadata().level() {
            Level::ERROR => 4,
            Level::WARN => 3,
            Level::INFO => 2,
            _ => 1,
        };
        SESSION.with_borrow(|session| {
            session.as_ref().inspect(|link| link.tell(&Tell::Line(level, message.0)));
        });
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            // A text takes what is written to it.
            let _ = write!(self.0, "{value:?}");
        }
    }
}
