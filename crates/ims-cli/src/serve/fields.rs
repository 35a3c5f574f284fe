// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fields of a parent, a virtual device and a physical function.

use ims_dsa::adi::{AdiConfig, ParentConfig};
use ims_dsa::front::Parameters;

use super::field::{Field, Kind};

const fn count(least: u32, most: u32) -> Kind {
    Kind::Count {
        least,
        most,
        multiple: 1,
    }
}

/// Sizes of an Interrupt Message Store: GENCAP counts it in 256.
const fn store(least: u32) -> Kind {
    Kind::Count {
        least,
        most: 16_128,
        multiple: 256,
    }
}

/// Keeps `value` in a field as wide as it needs to be.
fn keep<N: TryFrom<u32>>(place: &mut N, value: u32) -> Option<()> {
    *place = N::try_from(value).ok()?;
    Some(())
}

/// Generations of the device; VERSION has the major number in its upper byte.
const GENERATIONS: Kind = Kind::OneOf(&[1, 2]);

fn generation(version: u16) -> u32 {
    u32::from(version >> 8)
}

fn keep_generation(version: &mut u16, value: u32) -> Option<()> {
    keep(version, value << 8)
}

const VECTORS: &str = "vectors";
const ENGINES: &str = "engines";
const IMS_ENTRIES: &str = "ims-entries";
const DSA_VERSION: &str = "dsa-version";

/// The device that virtual ones are composed on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ParentPlan {
    pub(crate) config: ParentConfig,
    /// Whether somebody said how many entries; else there are as many as needed.
    pub(crate) entries_given: bool,
}

/// Fields of `[parent]`.
pub(crate) static PARENT: &[Field<ParentPlan>] = &[
    Field {
        name: ENGINES,
        about: "engines that all virtual devices share, each a thread",
        kind: count(1, 64),
        get: |plan| plan.config.engines.into(),
        set: |plan, value| keep(&mut plan.config.engines, value),
    },
    Field {
        name: IMS_ENTRIES,
        about: "entries of the Interrupt Message Store that all share",
        kind: store(256),
        get: |plan| plan.config.ims_entries,
        set: |plan, value| {
            plan.entries_given = true;
            keep(&mut plan.config.ims_entries, value)
        },
    },
    Field {
        name: "cpus",
        about: "CPUs that take their interrupts, each a thread; as many as the entries need",
        kind: count(2, 1024),
        get: |plan| plan.config.cpus(),
        set: |plan, value| {
            plan.config.cpus = Some(value);
            Some(())
        },
    },
];

/// Fields of `[[interface]]`.
pub(crate) static INTERFACE: &[Field<AdiConfig>] = &[
    Field {
        name: VECTORS,
        about: "MSI-X vectors: one emulated, the others of the parent's IMS",
        kind: count(1, 2048),
        get: |config| config.vectors.into(),
        set: |config, value| keep(&mut config.vectors, value),
    },
    Field {
        name: "queue-size",
        about: "descriptors its queue holds",
        kind: count(1, 1024),
        get: |config| config.queue_size.into(),
        set: |config, value| keep(&mut config.queue_size, value),
    },
    Field {
        name: "priority",
        about: "its queue's share of the engines",
        kind: count(1, 15),
        get: |config| config.priority.into(),
        set: |config, value| keep(&mut config.priority, value),
    },
    Field {
        name: DSA_VERSION,
        about: "generation of DSA that it shows",
        kind: GENERATIONS,
        get: |config| generation(config.version),
        set: |config, value| keep_generation(&mut config.version, value),
    },
];

/// Fields of `[[function]]`.
pub(crate) static FUNCTION: &[Field<Parameters>] = &[
    Field {
        name: "queues",
        about: "work queues",
        kind: count(1, 128),
        get: |config| config.queues.into(),
        set: |config, value| keep(&mut config.queues, value),
    },
    Field {
        name: "queue-entries",
        about: "descriptors that all its queues hold together",
        kind: count(1, 65_535),
        get: |config| config.queue_entries.into(),
        set: |config, value| keep(&mut config.queue_entries, value),
    },
    Field {
        name: "groups",
        about: "groups",
        kind: count(1, 16),
        get: |config| config.groups.into(),
        set: |config, value| keep(&mut config.groups, value),
    },
    Field {
        name: ENGINES,
        about: "engines of its own, each a thread while it is enabled",
        kind: count(1, 64),
        get: |config| config.engines.into(),
        set: |config, value| keep(&mut config.engines, value),
    },
    Field {
        name: VECTORS,
        about: "MSI-X vectors: one for itself, the others for queues",
        kind: count(1, 2048),
        get: |config| config.vectors.into(),
        set: |config, value| keep(&mut config.vectors, value),
    },
    Field {
        name: IMS_ENTRIES,
        about: "entries of its own Interrupt Message Store",
        kind: store(0),
        get: |config| config.ims_entries,
        set: |config, value| keep(&mut config.ims_entries, value),
    },
    Field {
        name: "wqcfg-size",
        about: "bytes of a work queue's configuration",
        kind: Kind::OneOf(&[32, 64]),
        get: |config| if config.wide_queue_config { 64 } else { 32 },
        set: |config, value| {
            config.wide_queue_config = value == 64;
            Some(())
        },
    },
    Field {
        name: DSA_VERSION,
        about: "generation of DSA that it shows",
        kind: GENERATIONS,
        get: |config| generation(config.version),
        set: |config, value| keep_generation(&mut config.version, value),
    },
    Field {
        name: "interrupt-handles",
        about: "whether drivers ask for interrupt handles, or use indexes",
        kind: Kind::Switch,
        get: |config| config.interrupt_handles.into(),
        set: |config, value| {
            config.interrupt_handles = value != 0;
            Some(())
        },
    },
];

#[cfg(test)]
mod tests {
    use super::super::field::named;
    use super::*;
    use crate::given::Given;

    /// Sets every field to its least and most, and to what is beyond.
    fn every_bound<T: Clone>(
        fields: &'static [Field<T>],
        fresh: &T,
        check: impl Fn(&T) -> Result<(), String>,
    ) {
        for field in fields {
            let (inside, outside) = match field.kind {
                Kind::Count {
                    least,
                    most,
                    multiple,
                } => {
                    let (least, most) = (i128::from(least), i128::from(most));
                    let step = i128::from(multiple);
                    (
                        vec![least, most],
                        vec![least - step, most + step, -1, 1 << 40],
                    )
                }
                Kind::OneOf(values) => {
                    let inside = values.iter().map(|value| i128::from(*value));
                    (inside.collect(), vec![0, 3, 65, -1])
                }
                Kind::Switch => (vec![], vec![0, 1]),
            };
            for value in inside {
                let mut config = fresh.clone();
                assert!(
                    field.set(&mut config, Given::Whole(value)),
                    "{}",
                    field.name
                );
                assert_eq!(field.text(&config), value.to_string(), "{}", field.name);
                check(&config).unwrap_or_else(|why| panic!("{} {value}: {why}", field.name));
            }
            for value in outside {
                let mut config = fresh.clone();
                assert!(
                    !field.set(&mut config, Given::Whole(value)),
                    "{}",
                    field.name
                );
            }
            for value in [Given::Text("8"), Given::Real(8.0), Given::Other] {
                assert!(!field.set(&mut fresh.clone(), value), "{}", field.name);
            }
        }
    }

    #[test]
    fn what_a_field_takes_the_device_takes_and_nothing_else() {
        every_bound(PARENT, &ParentPlan::default(), |plan| {
            plan.config.check().map_err(|error| error.to_string())
        });
        every_bound(INTERFACE, &AdiConfig::default(), |config| {
            config.check().map_err(|error| error.to_string())
        });
        every_bound(FUNCTION, &Parameters::default(), |config| {
            config.check().map_err(|error| error.to_string())
        });
    }

    #[test]
    fn a_switch_takes_true_and_false() {
        let field = named(FUNCTION, "interrupt-handles").unwrap();
        for on in [true, false] {
            let mut config = Parameters::default();
            assert!(field.set(&mut config, Given::Switch(on)));
            assert_eq!(config.interrupt_handles, on);
            assert_eq!(field.text(&config), on.to_string());
        }
    }
}
