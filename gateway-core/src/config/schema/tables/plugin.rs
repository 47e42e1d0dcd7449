//! The table of plugins.

use super::{
    super::{Field, Record, check},
    table,
};

pub(super) fn plugin() -> Record {
    table(vec![
        Field::string("name").required().doc("Which plugin."),
        Field::string("instance_name")
            .check(check::name)
            .pattern(check::NAME)
            .unique()
            .doc("Unique label of this configuration."),
        Field::boolean("enabled").required().default(true).doc("Off: as if it were not there."),
        Field::set("protocols", Field::string("").pattern(check::PROTOCOL))
            .doc("Protocols it applies to; unset: all that the plugin serves."),
        Field::any("config").doc("The plugin's own fields."),
        Field::foreign("service", "services").doc("Only for this service."),
        Field::foreign("route", "routes").doc("Only for this route."),
        Field::foreign("consumer", "consumers").doc("Only for this consumer."),
        Field::foreign("consumer_group", "consumer_groups").doc("Only for this consumer group."),
    ])
}
