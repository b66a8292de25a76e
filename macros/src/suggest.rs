//! "did you mean": the known word that a misspelled one was meant to be.

/// The word of `known` that is nearest to `written`, if one is near enough to be what was meant.
///
/// Near is what a typing slip makes of a word, or a word of which a part was left out (`method` for `start_method`).
pub(crate) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace(['-', '_', ' '], "");
    let written = plain(written);
    let part = |word: &str| written.len() >= 4 && (word.contains(&written) || written.contains(word));
    known
        .iter()
        .map(|word| (distance(&written, &plain(word)), *word))
        .filter(|(far, word)| *far <= word.len().div_ceil(4) || part(&plain(word)))
        .min_by_key(|(far, _)| *far)
        .map(|(_, word)| word)
}

/// The optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours, each costs one.
///
/// G. Navarro, A guided tour to approximate string matching, ACM Computing Surveys 33 (2001).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = above[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    const KNOWN: [&str; 5] = ["name", "daemon", "start_method", "instances", "crate"];

    #[test]
    fn slips_are_understood() {
        assert_eq!(nearest("deamon", &KNOWN), Some("daemon"));
        assert_eq!(nearest("nmae", &KNOWN), Some("name"));
        assert_eq!(nearest("startmethod", &KNOWN), Some("start_method"));
        assert_eq!(nearest("StartMethod", &KNOWN), Some("start_method"));
        assert_eq!(nearest("instance", &KNOWN), Some("instances"));
        assert_eq!(nearest("fork_server", &["spawn", "forkserver", "fork"]), Some("forkserver"));
    }

    #[test]
    fn parts_and_extended_words_are_understood() {
        assert_eq!(nearest("method", &KNOWN), Some("start_method"));
        assert_eq!(nearest("rename", &KNOWN), Some("name"));
        assert_eq!(nearest("daemonic", &KNOWN), Some("daemon"));
    }

    #[test]
    fn other_words_are_not_guessed_at() {
        assert_eq!(nearest("priority", &KNOWN), None);
        assert_eq!(nearest("at", &KNOWN), None);
        assert_eq!(nearest("thread", &["spawn", "forkserver", "fork"]), None);
    }

    #[test]
    fn a_swap_costs_one() {
        assert_eq!(distance("deamon", "daemon"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
