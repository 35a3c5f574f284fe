// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds every ordering of a source file and the weaker ones to try for it.

use super::source;
use std::ops::Range;

/// One ordering made weaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// Line in the file, from 1.
    pub(crate) line: usize,
    /// Column in bytes, from 1.
    pub(crate) column: usize,
    /// What stands there.
    pub(crate) from: String,
    /// What is tried instead.
    pub(crate) to: String,
    /// Why it is no defect if no model fails, if the source says so.
    pub(crate) reason: Option<String>,
    place: Range<usize>,
}

/// An inline reason, on the ordering's line or the one above.
const MARKER: &str = "// weaken: ";

const ORDERING: &str = "Ordering::";

/// All mutants of a file, in the order of their places.
pub(crate) fn find(text: &str) -> Vec<Mutant> {
    let code = source::shipping(text);
    let mut mutants = Vec::new();
    for (at, _) in code.match_indices(ORDERING) {
        let name = word(
            code.get(at.saturating_add(ORDERING.len())..)
                .unwrap_or_default(),
        );
        let end = at.saturating_add(ORDERING.len()).saturating_add(name.len());
        let before = code.get(..at).unwrap_or_default();
        if let Some(fence) = fence(before, code.get(end..).unwrap_or_default()) {
            let place = fence.start..end.saturating_add(fence.end);
            let tries = fence_tries(name);
            mutants.extend(tries.iter().map(|to| mutant(text, place.clone(), to)));
        } else {
            let to = weaker(name).iter().map(|to| format!("{ORDERING}{to}"));
            mutants.extend(to.map(|to| mutant(text, at..end, &to)));
        }
    }
    mutants
}

/// The identifier that `text` begins with.
fn word(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// What an atomic access is tried with instead.
fn weaker(name: &str) -> &'static [&'static str] {
    match name {
        "Acquire" | "Release" | "SeqCst" => &["Relaxed"],
        "AcqRel" => &["Acquire", "Release"],
        _ => &[],
    }
}

/// What a fence is tried with instead. There is no relaxed fence, it would
/// panic, and a model that panics for that proves nothing: the weakest is none.
fn fence_tries(name: &str) -> &'static [&'static str] {
    match name {
        "Acquire" | "Release" => &["()"],
        "AcqRel" => &["fence(Ordering::Acquire)", "fence(Ordering::Release)"],
        "SeqCst" => &["fence(Ordering::AcqRel)"],
        _ => &[],
    }
}

/// If an ordering stands alone in `fence(…)`: where the call begins in `before`
/// and how far into `after` it reaches.
fn fence(before: &str, after: &str) -> Option<Range<usize>> {
    let close = after
        .len()
        .checked_sub(after.trim_start().strip_prefix(')')?.len())?;
    let call = before
        .trim_end()
        .strip_suffix('(')?
        .trim_end()
        .strip_suffix("fence")?;
    let is_whole_word = !call.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    is_whole_word.then_some(call.len()..close)
}

fn mutant(text: &str, place: Range<usize>, to: &str) -> Mutant {
    let before = text.get(..place.start).unwrap_or_default();
    let line_begin = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
    Mutant {
        line: before.matches('\n').count().saturating_add(1),
        column: place.start.saturating_sub(line_begin).saturating_add(1),
        from: text.get(place.clone()).unwrap_or_default().to_owned(),
        to: to.to_owned(),
        reason: marked(text, line_begin),
        place,
    }
}

/// The reason given on the line that begins at `line_begin` or the one above.
fn marked(text: &str, line_begin: usize) -> Option<String> {
    let here = text.get(line_begin..)?.lines().next().unwrap_or_default();
    let above = text
        .get(..line_begin)?
        .lines()
        .next_back()
        .unwrap_or_default();
    let above = above.trim_start().starts_with(MARKER).then_some(above);
    [Some(here), above].into_iter().flatten().find_map(|line| {
        let (_, reason) = line.split_once(MARKER)?;
        let reason = reason.trim();
        (!reason.is_empty()).then(|| reason.to_owned())
    })
}

impl Mutant {
    /// The file with this one ordering made weaker.
    pub(crate) fn apply(&self, text: &str) -> String {
        let before = text.get(..self.place.start).unwrap_or_default();
        let after = text.get(self.place.end..).unwrap_or_default();
        format!("{before}{}{after}", self.to)
    }

    /// The line it stands in.
    pub(crate) fn source_line<'a>(&self, text: &'a str) -> &'a str {
        text.lines()
            .nth(self.line.saturating_sub(1))
            .unwrap_or_default()
            .trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(text: &str) -> Vec<String> {
        find(text).iter().map(|mutant| mutant.apply(text)).collect()
    }

    #[test]
    fn each_ordering_gets_its_weaker_ones() {
        assert_eq!(
            tried("a.load(Ordering::Acquire)"),
            ["a.load(Ordering::Relaxed)"]
        );
        assert_eq!(
            tried("a.store(1, Ordering::Release)"),
            ["a.store(1, Ordering::Relaxed)"]
        );
        assert_eq!(
            tried("a.swap(1, Ordering::SeqCst)"),
            ["a.swap(1, Ordering::Relaxed)"]
        );
        assert_eq!(
            tried("a.swap(1, Ordering::AcqRel)"),
            [
                "a.swap(1, Ordering::Acquire)",
                "a.swap(1, Ordering::Release)"
            ]
        );
        assert!(tried("a.load(Ordering::Relaxed); b == Ordering::Less").is_empty());
        assert!(tried("Ordering::Acquired").is_empty());
    }

    #[test]
    fn one_at_a_time() {
        assert_eq!(
            tried("x(Ordering::Acquire, Ordering::Release)"),
            [
                "x(Ordering::Relaxed, Ordering::Release)",
                "x(Ordering::Acquire, Ordering::Relaxed)"
            ]
        );
    }

    #[test]
    fn a_fence_is_never_made_relaxed() {
        assert_eq!(tried("fence(Ordering::Acquire);"), ["();"]);
        assert_eq!(tried("fence( Ordering::Release );"), ["();"]);
        assert_eq!(
            tried("fence(Ordering::SeqCst);"),
            ["fence(Ordering::AcqRel);"]
        );
        assert_eq!(
            tried("fence(Ordering::AcqRel);"),
            ["fence(Ordering::Acquire);", "fence(Ordering::Release);"]
        );
        assert_eq!(
            tried("my_fence(Ordering::Acquire);"),
            ["my_fence(Ordering::Relaxed);"]
        );
    }

    #[test]
    fn comments_and_tests_are_left_alone() {
        let text = "// Ordering::Acquire\n#[cfg(test)]\nmod tests { x(Ordering::SeqCst) }\n\
                    fn f() { a.load(Ordering::Acquire) }";
        let found = find(text);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].column), (4, 17));
        assert_eq!(found[0].from, "Ordering::Acquire");
        assert_eq!(
            found[0].source_line(text),
            "fn f() { a.load(Ordering::Acquire) }"
        );
    }

    #[test]
    fn a_reason_counts_on_the_line_and_on_a_line_of_its_own_above() {
        let reason = |text: &str| find(text).remove(0).reason;
        let because = Some("not modelled".to_owned());
        assert_eq!(
            reason("a(Ordering::Acquire); // weaken: not modelled"),
            because
        );
        assert_eq!(
            reason("  // weaken: not modelled\n  a(Ordering::Acquire);"),
            because
        );
        assert_eq!(reason("a(Ordering::Acquire); // weaken: "), None);
        assert_eq!(
            reason("b(); // weaken: not modelled\na(Ordering::Acquire);"),
            None
        );
        assert_eq!(
            reason("// weaken: not modelled\n\na(Ordering::Acquire);"),
            None
        );
    }
}
