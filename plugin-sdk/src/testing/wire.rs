//! What a test and a testbed with the real gateway say to each other: one JSON document a line, either way.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Header fields.
pub type Fields = Vec<(String, String)>;

/// What a test says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Have a gateway with this plugin, in place of one that was there before: [`Tell::Started`].
    Start(Start),
    /// A client sends this request: [`Tell::Answered`] in the end.
    Send(Request),
    /// The client goes away.
    Leave,
    /// So many milliseconds pass: [`Tell::Passed`].
    Pass(u64),
    /// A service answers; none breaks the connection.
    Answer(u64, Option<Response>),
    /// A function returns its bytes, or a status that is an error.
    Return(u64, Result<Vec<u8>, u32>),
    /// The late answer to a token that a function returned.
    Late(u32, Vec<u8>),
    /// What are the metrics: [`Tell::Metrics`].
    Metrics,
}

/// A gateway with one plugin.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// The plugin's name.
    pub plugin: String,
    /// Its configuration.
    pub config: Value,
    /// The consumers, as in a configuration file.
    pub consumers: Value,
    /// The services that the plugin may call.
    pub services: Vec<String>,
    /// The functions that the test answers.
    pub functions: Vec<String>,
}

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub target: String,
    /// The client's address.
    pub client_ip: String,
    /// Its header fields.
    pub fields: Fields,
    /// Its body. An empty piece at the end says that its length was not known beforehand.
    pub pieces: Vec<Vec<u8>>,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub fields: Fields,
    /// Its body, as that of a request.
    pub pieces: Vec<Vec<u8>>,
}

/// What a testbed says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Tell {
    /// There is a gateway, or this is why there is none.
    Started(Result<(), Refused>),
    /// A service is asked; the empty name is the upstream.
    Asked(u64, String, Box<Request>),
    /// The plugin calls a function.
    Called(u64, String, Vec<u8>),
    /// The request is answered; nothing where its client left before.
    Answered(Option<Response>),
    /// The plugin wrote a line, with this level.
    Line(u8, String),
    /// The time has passed.
    Passed,
    /// Each metric by its name.
    Metrics(Vec<(String, u64)>),
    /// The plugin ended in a trap.
    Trapped,
}

/// Why there is no gateway.
#[derive(Debug, Serialize, Deserialize)]
pub enum Refused {
    /// The testbed has no plugin of this name.
    Unknown,
    /// The configuration is refused, each problem in a line.
    Configuration(String),
}
