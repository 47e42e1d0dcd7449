//! A request as an upstream read it.

/// One request as the upstream read it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The request line and the fields, as they came.
    pub head: String,
    /// The body, without its framing; what came of it if it broke off.
    pub body: Vec<u8>,
    /// The body did not come to its end.
    pub broken: bool,
    /// Which of the upstream's connections it came on, from 0.
    pub connection: usize,
}

impl Seen {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a field, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// What a request to an upstream must be, whatever the client sent: one framing, one host, plain fields,
    /// and none of those that end at this hop.
    pub fn assert_canonical(&self, what: &str) {
        let parts: Vec<_> = self.line().split(' ').collect();
        assert_eq!(parts.len(), 3, "{what}: {:?}", self.line());
        assert!(parts[1].starts_with('/') && parts[2] == "HTTP/1.1", "{what}: {:?}", self.line());
        assert_eq!(self.all("host").len(), 1, "{what}: {}", self.head);
        assert!(
            self.all("content-length").len() + self.all("transfer-encoding").len() <= 1,
            "{what}: {}",
            self.head
        );
        assert!(
            self.all("transfer-encoding").iter().all(|coding| *coding == "chunked"),
            "{what}: {}",
            self.head
        );
        let gone = [
            "keep-alive",
            "proxy-connection",
            "upgrade",
            "http2-settings",
            "expect",
            "proxy",
            "x-consumer-id",
        ];
        for name in gone {
            assert!(self.all(name).is_empty(), "{what}: {name} in {}", self.head);
        }
        assert!(self.all("te").iter().all(|te| *te == "trailers"), "{what}: {}", self.head);
        for name in
            ["x-real-ip", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-path", "x-kong-request-id"]
        {
            assert_eq!(self.all(name).len(), 1, "{what}: {name} in {}", self.head);
        }
        assert!(self.all("x-forwarded-host").len() <= 1, "{what}: {}", self.head);
        for line in self.head.lines().skip(1) {
            let (name, value) =
                line.split_once(':').unwrap_or_else(|| panic!("{what}: a line without colon: {line:?}"));
            assert!(!name.is_empty() && !name.contains([' ', '\t']), "{what}: {line:?}");
            assert!(!value.contains(['\0', '\r', '\n']), "{what}: {line:?}");
        }
    }
}
