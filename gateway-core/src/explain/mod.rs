//! Why a request goes where it goes: a question, and the whole answer as plain data.
//!
//! A [`Question`] is a request in curl's words. [`Gateway::explain`](crate::Gateway::explain) answers it with a
//! [`Report`]: what the edge makes of the head, the route that takes it, why the others do not, and what would be
//! sent where. It asks the same parts that a request meets, but nothing happens: no counter moves, no balancer
//! turns, no name is looked up.
//!
//! ```
//! use gateway_core::{Gateway, config::{Colour, Config, Route, Service}, explain::Question};
//!
//! let service = Service::new("users", "127.0.0.1");
//! let mut route = Route::new("users").to(&service);
//! route.paths = Some(vec!["/users".into()]);
//! let gateway = Gateway::builder().config(Config::default().with(service).with(route)).build().unwrap();
//!
//! let report = gateway.explain(&Question::new("http://Example.com/users//7")).unwrap();
//! assert_eq!(report.request.path, "/users/7");
//! assert_eq!(report.upstream.as_ref().unwrap().url, "http://127.0.0.1/7");
//! print!("{}", report.render(Colour::Never));
//! ```

mod question;
mod render;
mod report;

pub use question::{Question, QuestionError};
pub use report::{Asked, Candidate, Elsewhere, Outcome, Report, Step, ToUpstream};
