// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guest's console says, line by line.

use std::collections::BTreeMap;

/// A line that means something here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A test is over: what it found, or why it failed.
    Test {
        name: String,
        result: Result<Values, String>,
    },
    /// A test waits for us.
    Ready { test: String },
    /// The first process says something about itself.
    Init(String),
    /// A message was refused by the guest's remapping unit.
    RemapFault { handle: u32, reason: u8 },
    /// The guest turned itself off.
    PowerDown,
    /// The kernel found a fault of its own or of the module.
    Broken(String),
}

/// What a test found, by name.
pub(crate) type Values = BTreeMap<String, String>;

/// What the kernel says when something is badly wrong.
const BROKEN: [&str; 7] = [
    "BUG:",
    "Kernel panic",
    "Oops",
    "WARNING:",
    "rcu_preempt detected stalls",
    "general protection fault",
    "INFO: task",
];

impl Message {
    /// Reads a line; none if it means nothing here.
    pub(crate) fn read(line: &str) -> Option<Self> {
        if let Some(rest) = after(line, "IMS-TEST ") {
            return Self::test(rest);
        }
        if let Some(rest) = after(line, "IMS-READY ") {
            let test = rest.trim().to_owned();
            return Some(Self::Ready { test });
        }
        if let Some(rest) = after(line, "IMS-INIT ") {
            return Some(Self::Init(rest.trim().to_owned()));
        }
        if let Some(rest) = after(line, "[INTR-REMAP]") {
            let handle = hexadecimal(after(rest, "fault index 0x")?)?;
            let reason = hexadecimal(after(rest, "fault reason 0x")?)?;
            let reason = u8::try_from(reason).ok()?;
            return Some(Self::RemapFault { handle, reason });
        }
        if line.contains("reboot: Power down") {
            return Some(Self::PowerDown);
        }
        BROKEN
            .iter()
            .any(|words| line.contains(words))
            .then(|| Self::Broken(line.to_owned()))
    }

    /// `<name> ok key=value …` or `<name> FAIL why`.
    fn test(rest: &str) -> Option<Self> {
        let (name, rest) = rest.trim().split_once(' ')?;
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let result = match word {
            "ok" => Ok(values(rest)),
            "FAIL" => Err(rest.trim().to_owned()),
            _ => return None,
        };
        let name = name.to_owned();
        Some(Self::Test { name, result })
    }
}

fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark).map(|(_, rest)| rest)
}

fn values(text: &str) -> Values {
    let pairs = text
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn hexadecimal(text: &str) -> Option<u32> {
    let end = text
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(text.len());
    u32::from_str_radix(text.get(..end)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_say_what_they_found_or_why_they_failed() {
        let line = "[   11.1] ims_store: IMS-TEST spread ok interrupts=4096 cpus=24 ms=4782";
        let Some(Message::Test { name, result }) = Message::read(line) else {
            panic!("not read");
        };
        let values = result.unwrap();
        assert_eq!((&name[..], &values["interrupts"][..]), ("spread", "4096"));
        assert_eq!(values.len(), 3);

        let line = "[   11.1] ims_store: IMS-TEST move FAIL slot 3: moved (-5)";
        assert_eq!(
            Message::read(line),
            Some(Message::Test {
                name: "move".to_owned(),
                result: Err("slot 3: moved (-5)".to_owned())
            })
        );
        let bare = Message::read("IMS-TEST x ok").unwrap();
        assert!(matches!(bare, Message::Test { result: Ok(values), .. } if values.is_empty()));
        assert_eq!(Message::read("IMS-TEST"), None);
        assert_eq!(Message::read("IMS-TEST x"), None);
        assert_eq!(Message::read("IMS-TEST x maybe"), None);
    }

    #[test]
    fn a_fault_of_the_remapping_unit_names_handle_and_reason() {
        let line = "[   24.9] DMAR: [INTR-REMAP] Request device [ff:1f.7] fault index 0xfff0 \
                    [fault reason 0x22] Present field in the IRTE entry is clear";
        assert_eq!(
            Message::read(line),
            Some(Message::RemapFault {
                handle: 0xfff0,
                reason: 0x22
            })
        );
        assert_eq!(Message::read("DMAR: [INTR-REMAP] fault index 0x"), None);
        assert_eq!(Message::read("DMAR: [DMA Read] fault addr 0x1"), None);
    }

    #[test]
    fn the_other_lines_are_told_apart() {
        assert_eq!(
            Message::read("[ 1.0] ims_store: IMS-READY gone"),
            Some(Message::Ready {
                test: "gone".to_owned()
            })
        );
        assert_eq!(
            Message::read("[ 1.0] IMS-INIT done"),
            Some(Message::Init("done".to_owned()))
        );
        let off = "[    9.5] reboot: Power down";
        assert_eq!(Message::read(off), Some(Message::PowerDown));
        for line in ["BUG: unable to handle", "WARNING: CPU: 1 PID: 2 at x"] {
            assert!(matches!(Message::read(line), Some(Message::Broken(_))));
        }
        assert_eq!(Message::read("[ 0.0] Linux version 6.12"), None);
        assert_eq!(Message::read(""), None);
    }
}
