//! What somebody gave: Kong's settings, over them the file, the environment, the flags.

use toml::Table;

use super::{Settings, environment::overlay, file::read, kong_conf, table::over};
use crate::{address::ListenAddress, args::RunArgs, failure::Failure};

impl Settings {
    /// The settings that `args`, the environment and the settings file give.
    pub(crate) fn of(args: &RunArgs) -> Result<Self, Failure> {
        let file = match &args.settings {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        let kong = kong_conf::read(args.kong_conf.as_deref())?;
        let merged = overlay(over(kong.settings, file), |name| std::env::var(name).ok())?;
        let mut settings: Self = merged.try_into()?;
        settings.kong = [kong.read, kong.ignored];
        settings.flags(args.clone());
        Ok(settings)
    }

    /// Flags win; the command line has read their environment variables already.
    fn flags(&mut self, args: RunArgs) {
        fn win<T>(place: &mut Option<T>, flag: Option<T>) {
            *place = flag.or_else(|| place.take());
        }
        let given = |list: Vec<ListenAddress>| Some(list).filter(|list| !list.is_empty());
        win(&mut self.config, args.config);
        win(&mut self.store, args.store);
        win(&mut self.listen, given(args.listen));
        win(&mut self.listen_tls, given(args.listen_tls));
        win(&mut self.tls_cert, args.tls_cert);
        win(&mut self.tls_key, args.tls_key);
        win(&mut self.admin, args.admin);
        win(&mut self.workers, args.workers);
        win(&mut self.router_flavor, args.router_flavor);
        win(&mut self.allow_debug_header, args.allow_debug_header);
        win(&mut self.access_log, args.access_log);
        win(&mut self.log, args.log);
        win(&mut self.log_format, args.log_format);
        if !args.plugins.is_empty() {
            self.plugins.search_path = args.plugins;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{
        args::RunArgs,
        settings::{Settings, environment::overlay, file::read, testing::file},
    };

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let path = file("order", "workers = 1\n[limits]\ntarget = '1KiB'\nhead = '16KiB'\n");
        let environment = |name: &str| (name == "GATEWAY_LIMITS_TARGET").then(|| "2KiB".to_owned());
        let mut settings: Settings = overlay(read(&path).unwrap(), environment).unwrap().try_into().unwrap();
        settings.flags(RunArgs { workers: Some(3), ..RunArgs::default() });
        assert_eq!(settings.workers, Some(3));
        assert_eq!(settings.limits.target.unwrap().0, 2048);
        assert_eq!(settings.limits.head.unwrap().0, 16 << 10);
        fs::remove_file(path).unwrap();
    }
}
