// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tells code that ships from comments, strings and tests.

use std::ops::Range;

/// A source file with everything but its shipping code blanked.
///
/// Offsets are those of the file: each byte of what is not code is a space,
/// line ends stay.
pub(crate) fn shipping(text: &str) -> String {
    let code = without_comments(text);
    blanked(&code, tests(&code))
}

/// The same with its tests.
fn without_comments(text: &str) -> String {
    blanked(text, not_code(text))
}

fn blanked(text: &str, ranges: Vec<Range<usize>>) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for range in ranges {
        blank(&mut bytes, range);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in bytes.get_mut(range).unwrap_or_default() {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Comments, strings and character literals.
fn not_code(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let begins_word = !text.get(..at).is_some_and(ends_in_word);
        let length = if rest.starts_with("//") {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            Some(block_comment(rest))
        } else if let Some(length) = begins_word.then(|| raw_string(rest)).flatten() {
            Some(length)
        } else if rest.starts_with('"') {
            Some(quoted(rest, '"'))
        } else {
            character(rest)
        };
        let step = length.unwrap_or_else(|| rest.chars().next().map_or(1, char::len_utf8));
        if length.is_some() {
            found.push(at..at.saturating_add(step));
        }
        at = at.saturating_add(step);
    }
    found
}

fn ends_in_word(text: &str) -> bool {
    text.chars()
        .next_back()
        .is_some_and(|last| last.is_alphanumeric() || last == '_')
}

/// The length of a comment in which comments may stand.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0u32;
    let mut inner = rest.char_indices().peekable();
    while let Some((at, here)) = inner.next() {
        match (here, inner.peek()) {
            ('/', Some((_, '*'))) => {
                depth = depth.saturating_add(1);
                inner.next();
            }
            ('*', Some((_, '/'))) => {
                depth = depth.saturating_sub(1);
                inner.next();
                if depth == 0 {
                    return at.saturating_add(2);
                }
            }
            _ => {}
        }
    }
    rest.len()
}

/// The length of `r"…"`, `r#"…"#` and so on, also after `b` or `c`.
fn raw_string(rest: &str) -> Option<usize> {
    let body = rest
        .strip_prefix(['b', 'c'])
        .unwrap_or(rest)
        .strip_prefix('r')?;
    let quoted = body.trim_start_matches('#');
    let hashes = body.len().checked_sub(quoted.len())?;
    let inner = quoted.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inner
        .find(&end)
        .map_or(inner.len(), |at| at.saturating_add(end.len()));
    rest.len().checked_sub(inner.len())?.checked_add(length)
}

/// The length of a literal that begins and ends with `quote`.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, here) in rest.char_indices().skip(1) {
        match here {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if here == quote => return at.saturating_add(1),
            _ => {}
        }
    }
    rest.len()
}

/// The length of a character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let mut inner = rest.strip_prefix('\'')?.chars();
    match (inner.next()?, inner.next()?) {
        ('\\', _) => Some(quoted(rest, '\'')),
        (one, '\'') => Some(one.len_utf8().saturating_add(2)),
        _ => None,
    }
}

/// Names of the test modules that `text` declares and keeps in files of their own.
pub(crate) fn test_modules(text: &str) -> Vec<String> {
    let code = without_comments(text);
    let declared = |range: Range<usize>| {
        let item = code.get(range)?.trim_end().strip_suffix(';')?;
        let (before, name) = item.trim_end().rsplit_once(char::is_whitespace)?;
        before.trim_end().ends_with("mod").then(|| name.to_owned())
    };
    tests(&code).into_iter().filter_map(declared).collect()
}

/// Items that exist only in tests: behind a `#[cfg(…)]` that asks for `test`.
fn tests(code: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (begin, attribute) in code.match_indices("#[cfg(") {
        if found.last().is_some_and(|range| range.contains(&begin)) {
            continue;
        }
        let condition = begin.saturating_add(attribute.len());
        let Some(end) = closing(code, condition, '(', ')') else {
            continue;
        };
        if code.get(condition..end).is_some_and(asks_for_test)
            && let Some(item) = item_end(code, end.saturating_add(2))
        {
            found.push(begin..item);
        }
    }
    found
}

/// Whether a condition holds only in tests: `test`, or `all(test, …)`.
fn asks_for_test(condition: &str) -> bool {
    let condition = condition.trim();
    let conditions = condition.strip_prefix("all(").unwrap_or(condition);
    conditions
        .split(',')
        .any(|one| one.trim().trim_end_matches(')') == "test")
}

/// Where the item that begins at `from` ends: at `;`, or with its braces.
fn item_end(code: &str, from: usize) -> Option<usize> {
    let rest = code.get(from..)?;
    let at = from.checked_add(rest.find([';', '{'])?)?;
    let next = at.checked_add(1)?;
    if code.get(at..next)? == ";" {
        return Some(next);
    }
    closing(code, next, '{', '}')?.checked_add(1)
}

/// The place of the `close` that matches an `open` before `from`.
fn closing(code: &str, from: usize, open: char, close: char) -> Option<usize> {
    let mut depth = 1u32;
    for (at, here) in code.get(from..)?.char_indices() {
        if here == open {
            depth = depth.checked_add(1)?;
        } else if here == close {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return from.checked_add(at);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{shipping, test_modules};

    /// The code words left, spaces put together.
    fn left(text: &str) -> String {
        let code = shipping(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.lines().count(), text.lines().count());
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_go() {
        assert_eq!(left("a // b\nc /* d /* e */ f */ g\n/// h\ni"), "a c g i");
        assert_eq!(left("a /* never closed"), "a");
        assert_eq!(left("a // «é» b\nc"), "a c");
    }

    #[test]
    fn strings_go() {
        assert_eq!(left(r#"a("b // c", d"#), "a( , d");
        assert_eq!(left(r#"a "b \" c" d"#), "a d");
        assert_eq!(left(r###"a r#"b " c"# d br"e\" f"###), "a d f");
        assert_eq!(left(r#"for "x" r "y""#), "for r");
    }

    #[test]
    fn characters_go_and_lifetimes_stay() {
        assert_eq!(left("a '{' b '\\'' c 'é' d"), "a b c d");
        assert_eq!(
            left("fn a<'b>(c: &'b u8, d: &'static str)"),
            "fn a<'b>(c: &'b u8, d: &'static str)"
        );
        assert_eq!(
            left("match x { '\"' => a, _ => b }"),
            "match x { => a, _ => b }"
        );
    }

    #[test]
    fn test_modules_go_with_what_is_in_them() {
        for attribute in [
            "cfg(test)",
            "cfg(all(test, not(loom)))",
            "cfg(all(test, loom))",
        ] {
            let text = format!("a;\n#[{attribute}]\nmod tests {{ fn b() {{ '}}'; }} }}\nc;");
            assert_eq!(left(&text), "a; c;", "{attribute}");
        }
        assert_eq!(left("#[cfg(test)]\nmod tests;\nb"), "b");
        assert_eq!(left("#[cfg(test)]\n#[path = \"x\"]\nmod tests;\nb"), "b");
    }

    #[test]
    fn what_ships_under_another_condition_stays() {
        for attribute in [
            "cfg(not(test))",
            "cfg(loom)",
            "cfg(feature = \"test\")",
            "cfg(any(test, x))",
        ] {
            assert!(left(&format!("#[{attribute}] fn a() {{}}")).ends_with("fn a() {}"));
        }
    }

    #[test]
    fn test_modules_in_other_files_are_named() {
        let text = "#[cfg(test)]\nmod tests;\n#[cfg(all(test, loom))]\nmod models;\nmod ships;\n\
                    #[cfg(test)]\nmod here { mod inner; }\n// #[cfg(test)]\n// mod comment;\n\
                    #[cfg(test)]\nuse x;";
        assert_eq!(test_modules(text), ["tests", "models"]);
    }
}
