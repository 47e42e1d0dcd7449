//! What commands are told on the command line.

mod explain;
mod file;
mod flavor;
mod format;
mod inspect;
mod node;
mod run;
mod starter;

pub(crate) use explain::ExplainArgs;
pub(crate) use file::FileArgs;
pub(crate) use flavor::RouterFlavor;
pub(crate) use format::{LogFormat, OutputFormat};
pub(crate) use inspect::InspectArgs;
pub(crate) use node::NodeArgs;
pub(crate) use run::RunArgs;
pub(crate) use starter::{CompletionsArgs, InitArgs};
