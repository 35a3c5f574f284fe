// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every field of a scenario: its name, what is right for it, where it is kept.

use std::fmt;

use super::{On, Scenario, StoreKind};
use crate::given::Given;

/// Where a field stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// At the top.
    Top,
    /// In `[disturb]`.
    Disturb,
}

/// The name of the one table a scenario has.
pub(super) const DISTURB: &str = "disturb";

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in a file; with two dashes before it, its flag.
    pub(super) name: &'static str,
    pub(super) table: Table,
    /// What it is, for the help.
    pub(super) about: &'static str,
    pub(super) kind: Kind,
}

/// What values a field takes. Displayed, it says what would be right.
#[derive(Debug)]
pub(super) enum Kind {
    Count {
        of: fn(&mut Scenario) -> &mut u32,
        least: u32,
        most: u32,
        multiple: u32,
    },
    Seed(fn(&mut Scenario) -> &mut u64),
    Seconds {
        of: fn(&mut Scenario) -> &mut f64,
        least: f64,
        most: f64,
    },
    On(fn(&mut Scenario) -> &mut On),
    Store(fn(&mut Scenario) -> &mut StoreKind),
}

impl Kind {
    /// Keeps `given` in `scenario` if it is right; says whether it is.
    pub(super) fn set(&self, scenario: &mut Scenario, given: Given<'_>) -> bool {
        self.try_set(scenario, given).is_some()
    }

    fn try_set(&self, scenario: &mut Scenario, given: Given<'_>) -> Option<()> {
        match (self, given) {
            (Self::Count { of, .. }, Given::Whole(value)) => {
                *of(scenario) = self.count(value)?;
            }
            (Self::Seed(of), Given::Whole(value)) => *of(scenario) = value.try_into().ok()?,
            (Self::Seconds { of, least, most }, Given::Whole(_) | Given::Real(_)) => {
                let value = match given {
                    Given::Whole(value) => value as f64,
                    Given::Real(value) => value,
                    Given::Switch(_) | Given::Text(_) | Given::Other => return None,
                };
                // False for what is not a number, too.
                *of(scenario) = (*least..=*most).contains(&value).then_some(value)?;
            }
            (Self::On(of), Given::Text(text)) => {
                *of(scenario) = On::ALL.into_iter().find(|on| on.name() == text)?;
            }
            (Self::Store(of), Given::Text(text)) => {
                *of(scenario) = StoreKind::ALL
                    .into_iter()
                    .find(|kind| kind.name() == text)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn count(&self, value: i128) -> Option<u32> {
        let Self::Count {
            least,
            most,
            multiple,
            ..
        } = self
        else {
            return None;
        };
        let value = u32::try_from(value).ok()?;
        ((*least..=*most).contains(&value) && value.is_multiple_of(*multiple)).then_some(value)
    }

    /// The field's value in `scenario`, as a file would state it.
    pub(super) fn text(&self, scenario: &Scenario) -> String {
        let mut scenario = scenario.clone();
        match self {
            Self::Count { of, .. } => of(&mut scenario).to_string(),
            Self::Seed(of) => of(&mut scenario).to_string(),
            Self::Seconds { of, .. } => of(&mut scenario).to_string(),
            Self::On(of) => of(&mut scenario).name().to_owned(),
            Self::Store(of) => of(&mut scenario).name().to_owned(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count {
                least,
                most,
                multiple: 1,
                ..
            } => write!(f, "a whole number from {least} to {most}"),
            Self::Count {
                least,
                most,
                multiple,
                ..
            } => write!(f, "a multiple of {multiple} from {least} to {most}"),
            Self::Seed(_) => write!(f, "a whole number from 0 to {}", u64::MAX),
            Self::Seconds { least, most, .. } => write!(f, "a number from {least} to {most}"),
            Self::On(_) => one_of(f, &On::ALL.map(On::name)),
            Self::Store(_) => one_of(f, &StoreKind::ALL.map(StoreKind::name)),
        }
    }
}

fn one_of(f: &mut fmt::Formatter<'_>, names: &[&str]) -> fmt::Result {
    f.write_str("one of")?;
    for (at, name) in names.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(f, "{comma} \"{name}\"")?;
    }
    Ok(())
}

const fn count(
    name: &'static str,
    about: &'static str,
    least: u32,
    most: u32,
    of: fn(&mut Scenario) -> &mut u32,
) -> Field {
    let kind = Kind::Count {
        of,
        least,
        most,
        multiple: 1,
    };
    Field {
        name,
        table: Table::Top,
        about,
        kind,
    }
}

const fn disturb(
    name: &'static str,
    about: &'static str,
    of: fn(&mut Scenario) -> &mut u32,
) -> Field {
    Field {
        table: Table::Disturb,
        ..count(name, about, 0, 100_000, of)
    }
}

/// All fields, in the order they are listed to people.
pub(super) const FIELDS: &[Field] = &[
    count("vms", "Virtual machines", 1, 64, |s| &mut s.vms),
    count("vcpus", "Virtual CPUs of each machine", 1, 4096, |s| {
        &mut s.vcpus
    }),
    Field {
        name: "on",
        table: Table::Top,
        about: "What runs them; without /dev/kvm, soft CPUs do, and the run says so",
        kind: Kind::On(|s| &mut s.on),
    },
    // A PASID has 20 bits, and 0 belongs to nobody.
    count(
        "adis",
        "Assignable device interfaces, over all machines",
        1,
        (1 << 20) - 1,
        |s| &mut s.adis,
    ),
    count("queues", "Queues of each interface", 1, 64, |s| {
        &mut s.queues
    }),
    count("vectors", "Interrupts of each queue", 1, 64, |s| {
        &mut s.vectors
    }),
    count("engines", "Engines of the device", 1, 256, |s| {
        &mut s.engines
    }),
    Field {
        name: "store",
        table: Table::Top,
        about: "Where the device keeps its interrupt messages",
        kind: Kind::Store(|s| &mut s.store),
    },
    Field {
        name: "seconds",
        table: Table::Top,
        about: "How long it works",
        kind: Kind::Seconds {
            of: |s| &mut s.seconds,
            least: 0.1,
            most: 86_400.0,
        },
    },
    Field {
        name: "seed",
        table: Table::Top,
        about: "What all random choices follow from",
        kind: Kind::Seed(|s| &mut s.seed),
    },
    Field {
        name: "bytes",
        table: Table::Top,
        about: "The largest operation, in bytes",
        kind: Kind::Count {
            of: |s| &mut s.bytes,
            least: 64,
            most: 1 << 21,
            multiple: 8,
        },
    },
    count(
        "depth",
        "Operations outstanding for each interrupt",
        1,
        64,
        |s| &mut s.depth,
    ),
    disturb(
        "compose",
        "Interfaces destroyed and composed anew, a second",
        |s| &mut s.disturb.compose,
    ),
    disturb("moves", "Interrupts moved to another CPU, a second", |s| {
        &mut s.disturb.moves
    }),
    disturb("masks", "Interrupts masked and unmasked, a second", |s| {
        &mut s.disturb.masks
    }),
    disturb("offline", "CPUs taken offline and back, a second", |s| {
        &mut s.disturb.offline
    }),
    disturb(
        "hostile",
        "Messages from one who owns nothing, a second",
        |s| &mut s.disturb.hostile,
    ),
];
