//! Writes: POST, PUT, PATCH and DELETE over a [store](crate::store).
//!
//! A write goes one way: `fields` reads the body, `place` says which entity the path means, `make` changes a draft, the
//! store keeps what differs, the gateway serves by it. `make` and what it uses wait for nothing and know no requests;
//! where another node was faster they are asked again.
//!
//! | file | purpose |
//! |---|---|
//! | `handle` | a request: its body, its turn, its answer |
//! | `fields`, `form` | bodies as fields: JSON, forms, multipart |
//! | `place`, `lookup` | paths as entities |
//! | `make`, `merge`, `entity`, `remove` | what each method makes of the draft |
//! | `certificate`, `members`, `lease` | names of servers within certificates; who is in which group; targets that register themselves |
//! | `conditions`, `findings`, `batch` | `If-Match`, `dry_run`, all or nothing |
//! | `answer`, `refused` | what is said: Kong's bodies and errors |

mod answer;
mod batch;
mod certificate;
mod conditions;
mod entity;
mod fields;
mod findings;
mod form;
mod handle;
mod lease;
mod lookup;
mod make;
mod members;
mod merge;
mod place;
mod refused;
mod remove;
mod term;

pub(super) use answer::Answer;
pub(super) use batch::batch;
pub(super) use fields::Fields;
pub(super) use findings::findings;
pub(super) use handle::{Asked, entity, tried};
pub(super) use place::{Side, discreet};
pub(super) use refused::problems;
