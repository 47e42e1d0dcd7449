//! A request that is explained.

use std::{net::IpAddr, path::PathBuf, str::FromStr};

use clap::Args;

use super::{NodeArgs, OutputFormat};

/// A request, in curl's words.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The declarative file, YAML or JSON; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Where the request is sent
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// Its method
    #[arg(short = 'X', long = "request", value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,

    /// A header field of it; may be given many times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<Field>,

    /// The client's address [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub(crate) from: Option<IpAddr>,

    /// The consumer that authentication would find: a username, a custom id or an id
    #[arg(long, value_name = "NAME")]
    pub(crate) consumer: Option<String>,

    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) format: OutputFormat,

    #[command(flatten)]
    pub(crate) node: NodeArgs,
}

/// A header field, written `Name: value`.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Field {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("a field is written 'Name: value'")?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}
