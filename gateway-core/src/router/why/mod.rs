//! Why a request takes its route, and what routes mean for each other: for people, apart from the path of a request.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `explain`, `explanation` | each route tried on a request, and what is said of it |
//! | `criterion` | what a rule asks for, one thing after the other |
//! | `survey`, `shelves` | which routes are never reached, which only their ids tell apart |
//! | `wants`, `cover`, `simple` | rules in a form that can be compared, and comparing them |

pub(super) mod cover;
pub(super) mod criterion;
pub(super) mod explain;
pub(super) mod explanation;
mod shelves;
pub(super) mod simple;
pub(super) mod survey;
pub(super) mod wants;
