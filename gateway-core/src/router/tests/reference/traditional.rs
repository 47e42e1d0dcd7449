//! `traditional`: the list of Kong's manual, word by word.

use super::Part;

impl Part<'_> {
    pub(super) fn traditional(&self) -> Vec<u128> {
        let mut hosts = self.route.hosts.iter().flatten();
        let mut rank = vec![self.fields()];
        rank.extend(self.kinds().map(u128::from));
        rank.extend([
            hosts.any(|host| host.contains('*') && host.contains(':')).into(),
            self.plain_hosts().into(),
            self.is_regex().into(),
            self.headers(),
            self.regex_priority(),
            self.length(),
            self.age(),
            self.route.id.as_u128(),
        ]);
        rank
    }
}
