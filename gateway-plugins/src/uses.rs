//! What a module makes use of.

use wasmtime::Module;

use crate::abi::Side;

/// What a module may do, by what it imports: nothing is done for it that it cannot notice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uses {
    /// It reads header fields, perhaps of a message that has gone by.
    pub(crate) fields: bool,
    /// It reads properties.
    pub(crate) properties: bool,
    /// It reads or writes what guests of one request tell each other.
    pub(crate) notes: bool,
    /// It writes into bodies, so that their length is not known beforehand.
    pub(crate) edits: bool,
    /// It looks at bodies or trailers that go by, by side.
    pub(crate) bodies: [bool; 2],
    /// It looks at a request's body while it holds the head.
    pub(crate) reads_body: bool,
    /// It looks at heads, by side.
    pub(crate) heads: [bool; 2],
    /// It has a mailbox, and is told of a request's end only where it wants to be.
    pub(crate) mailbox: bool,
    /// It logs.
    pub(crate) log: bool,
    /// Its manifest asks for what the route's expression takes out of the path.
    pub(crate) captures: bool,
}

impl Uses {
    /// What stands in its imports and exports.
    pub(crate) fn of(module: &Module) -> Self {
        let imports = |name: &str| module.imports().any(|import| import.name() == name);
        let exports = |name: &str| module.get_export(name).is_some();
        Self {
            fields: imports("proxy_get_header_map_value")
                || imports("proxy_get_header_map_pairs")
                || imports("proxy_get_header_map_size"),
            properties: imports("proxy_get_property"),
            notes: imports("proxy_get_property") || imports("proxy_set_property"),
            edits: imports("proxy_set_buffer_bytes"),
            reads_body: exports("proxy_on_request_body"),
            heads: [exports("proxy_on_request_headers"), exports("proxy_on_response_headers")],
            mailbox: exports(plugin_contract::mailbox::NAME),
            log: exports("proxy_on_log"),
            captures: false,
            bodies: [
                exports("proxy_on_request_body") || exports("proxy_on_request_trailers"),
                exports("proxy_on_response_body") || exports("proxy_on_response_trailers"),
            ],
        }
    }

    /// Whether a request that has gone by on this side, and that nothing is kept for, is of no use to it any more.
    pub(crate) fn is_over(self, side: Side) -> bool {
        let down = self.heads[1] || self.bodies[1];
        self.mailbox && !self.log && !self.bodies[side as usize] && (side == Side::Response || !down)
    }

    /// Whether a request is of no use to it before there is an answer.
    pub(crate) fn begins_later(self) -> bool {
        self.mailbox && !self.log && !self.heads[0] && !self.bodies[0]
    }
}
