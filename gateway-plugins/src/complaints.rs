//! What a guest complains of while it starts and is configured: whoever wrote the configuration reads it.

/// The errors that a guest has logged.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    first: Option<String>,
    last: Option<String>,
}

impl Complaints {
    pub(crate) fn add(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line).into_owned();
        if self.first.is_none() {
            self.first = Some(line.clone());
        }
        self.last = Some(line);
    }

    /// Why a guest refuses: it comes to that in the end.
    pub(crate) fn of_refusal(self) -> Option<String> {
        self.last
    }

    /// Why a guest falls: its runtime says that first, and then where it was.
    pub(crate) fn of_trap(self) -> Option<String> {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::Complaints;

    #[test]
    fn a_trap_is_of_the_first_error_and_a_refusal_of_the_last() {
        let complaints = || {
            let mut complaints = Complaints::default();
            complaints.add(b"panic: no realm");
            complaints.add(b"main.go:149");
            complaints
        };
        assert_eq!(complaints().of_trap().as_deref(), Some("panic: no realm"));
        assert_eq!(complaints().of_refusal().as_deref(), Some("main.go:149"));
        assert_eq!(Complaints::default().of_trap(), None);
    }
}
