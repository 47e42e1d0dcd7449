//! The gateway's own foreign functions, one file an area. What each takes and gives: `docs/foreign-functions.md`.

mod consumer;
mod request;
mod response;
mod var;

pub(crate) use consumer::serve as consumers;
pub use consumer::{Consumers, FromConfig};

use crate::plugin::Builder;

/// Functions that belong together, granted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Area {
    /// `gateway.consumer.*`: who calls.
    Consumer,
    /// `gateway.request.*`: the request, beyond its fields.
    Request,
    /// `gateway.response.*`: what the answer will carry.
    Response,
    /// `gateway.var.*`: what plugins of one request tell each other.
    Var,
}

impl Area {
    /// Every area.
    pub const ALL: [Self; 4] = [Self::Consumer, Self::Request, Self::Response, Self::Var];

    /// Its word in the names of functions.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Request => "request",
            Self::Response => "response",
            Self::Var => "var",
        }
    }

    /// Registers its functions as the gateway has them.
    pub(crate) fn serve(self, builder: Builder) -> Builder {
        match self {
            Self::Consumer => builder.consumers(FromConfig),
            Self::Request => builder.serve(request::Target),
            Self::Response => response::serve(builder),
            Self::Var => var::serve(builder),
        }
    }
}
