//! The tables of consumers and their groups.

use super::{
    super::{Field, Record, Rule, check},
    table,
};

pub(super) fn consumer() -> Record {
    table(vec![
        Field::string("username").unique().doc("Unique name."),
        Field::string("custom_id").unique().doc("Unique id in another system."),
        Field::array("groups", Field::foreign("", "consumer_groups"))
            .doc("Groups it is a member of, as decK writes them; read, not kept."),
    ])
    .rule(Rule::at_least_one_of(["custom_id", "username"]))
}

pub(super) fn consumer_group() -> Record {
    table(vec![
        Field::string("name").required().check(check::name).pattern(check::NAME).unique().doc("Unique name."),
        Field::array("consumers", Field::foreign("", "consumers")).doc("Members."),
    ])
}
