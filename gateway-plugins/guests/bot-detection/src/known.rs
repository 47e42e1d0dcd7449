//! Crawlers that are known.

/// What crawlers call themselves, in small letters: words that browsers do not use.
const WORDS: &[&str] = &[
    "ahrefs",
    "applebot",
    "archive.org",
    "archiver",
    "ask jeeves",
    "baiduspider",
    "bingpreview",
    "bloglines",
    "bytespider",
    "ccbot",
    "checkmark",
    "crawler",
    "crawl/",
    "curious george",
    "daumoa",
    "discobot",
    "duckduckgo-favicons",
    "facebookexternalhit",
    "feedburner",
    "feedfetcher",
    "feedly",
    "google favicon",
    "google web preview",
    "google-structured-data",
    "googleother",
    "gptbot",
    "gsa-crawler",
    "heritrix",
    "httrack",
    "ia_archiver",
    "indexer",
    "larbin",
    "ltx71",
    "mediapartners-google",
    "megaindex",
    "mj12bot",
    "netcraft",
    "newrelicpinger",
    "nutch",
    "page2rss",
    "petalbot",
    "pingdom",
    "postrank",
    "proximic",
    "scraper",
    "scrapy",
    "screaming frog",
    "semrush",
    "seznam",
    "siteexplorer",
    "slurp",
    "speedy spider",
    "spider",
    "statuscake",
    "teoma",
    "twiceler",
    "uptimerobot",
    "voilabot",
    "webcopier",
    "wotbox",
    "yandex.com/bots",
    "yeti/",
];

/// Whether `agent` is what a crawler calls itself: one of the words, or a name that ends in `bot`.
pub(crate) fn is_crawler(agent: &str) -> bool {
    let agent = agent.to_ascii_lowercase();
    WORDS.iter().any(|word| agent.contains(word)) || names_a_bot(&agent)
}

/// `Googlebot/2.1`, `my-bot`, `bot_version`, but not `Cubot`, which makes telephones, nor `bottle` or `robotics`.
fn names_a_bot(agent: &str) -> bool {
    agent.match_indices("bot").any(|(at, _)| {
        let before = agent.get(..at).unwrap_or_default();
        let after = agent.get(at + 3..).unwrap_or_default();
        !after.starts_with(|next: char| next.is_ascii_alphabetic()) && !before.ends_with("cu")
    })
}

#[cfg(test)]
mod tests {
    use super::is_crawler;

    #[test]
    fn crawlers_are_known_and_browsers_are_not() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
            "facebookexternalhit/1.1",
            "Twitterbot/1.0",
            "Slackbot-LinkExpanding 1.0",
            "ia_archiver",
            "my-crawler 1",
        ] {
            assert!(is_crawler(agent), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36",
            "curl/8.5.0",
            "bottle/1.0",
            "",
        ] {
            assert!(!is_crawler(agent), "{agent}");
        }
    }
}
