// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The descriptor as software uses it: posting, harvesting, and falling asleep
//! without missing a post.
//!
//! Hardware posts with one locked update of the whole line; software with one
//! update of the PIR word and, when a notification is due, one of the control
//! word. What makes that safe is that the CPU clears ON and SN *before* it swaps
//! out the PIR, and swaps every word even if it is zero: a post either comes
//! before the swap, and is taken by it, or after, and then sees what was cleared.

use super::layout::{NDST_SHIFT, NV_SHIFT, ON, PIR_WORDS, SN};
use crate::sync::{AtomicU64, Ordering};

/// A posted interrupt descriptor (VT-d 9.11).
///
/// # Concurrency
/// Any number of threads post; one CPU, the owner, harvests and sleeps.
#[derive(Debug)]
#[repr(align(64))]
pub struct Descriptor {
    pir: [AtomicU64; PIR_WORDS],
    control: AtomicU64,
}

/// What a post did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a notification that is not sent leaves the CPU asleep"]
pub struct Posted {
    /// The vector was pending already: the CPU will see one interrupt for both.
    pub coalesced: bool,
    /// The notification to send, if the CPU must be told.
    pub notify: Option<Notification>,
}

/// An interrupt that tells a CPU to look at its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// NDST: the APIC id of the CPU to tell.
    pub destination: u32,
    /// NV: the vector to tell it with.
    pub vector: u8,
}

/// Vectors taken out of a descriptor, highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    words: [u64; PIR_WORDS],
}

impl Default for Descriptor {
    fn default() -> Self {
        Self::new(Notification {
            destination: 0,
            vector: 0,
        })
    }
}

fn control_word(notification: Notification) -> u64 {
    u64::from(notification.vector) << NV_SHIFT | u64::from(notification.destination) << NDST_SHIFT
}

fn notification(control: u64) -> Notification {
    let [_, _, vector, _, destination @ ..] = control.to_le_bytes();
    Notification {
        destination: u32::from_le_bytes(destination),
        vector,
    }
}

impl Descriptor {
    /// A descriptor with nothing pending and notifications on.
    pub fn new(notification: Notification) -> Self {
        Self {
            pir: core::array::from_fn(|_| AtomicU64::new(0)),
            control: AtomicU64::new(control_word(notification)),
        }
    }

    /// Makes `vector` pending (VT-d 5.2.3).
    ///
    /// An `urgent` post notifies even while notifications are suppressed.
    /// Everything the poster wrote before is visible to the CPU that harvests
    /// the vector.
    #[inline]
    pub fn post(&self, vector: u8, urgent: bool) -> Posted {
        let bit = 1u64 << (vector % 64);
        let [w0, w1, w2, w3] = &self.pir;
        let word = match vector / 64 {
            0 => w0,
            1 => w1,
            2 => w2,
            _ => w3,
        };
        // Release: the data the interrupt announces. Acquire: if the harvester's
        // swap came first, its clearing of ON and SN is seen below.
        let coalesced = word.fetch_or(bit, Ordering::AcqRel) & bit != 0;
        let mut control = self.control.load(Ordering::Relaxed);
        loop {
            if control & ON != 0 || (control & SN != 0 && !urgent) {
                return Posted {
                    coalesced,
                    notify: None,
                };
            }
            match self.control.compare_exchange_weak(
                control,
                control | ON,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    return Posted {
                        coalesced,
                        notify: Some(notification(control)),
                    };
                }
                Err(now) => control = now,
            }
        }
    }

    /// Stops notifications: the CPU is awake and will look by itself.
    pub fn suppress(&self) {
        self.control.fetch_or(SN, Ordering::Relaxed);
    }

    /// Takes everything that is pending. Notifications stay as they are.
    pub fn harvest(&self) -> Pending {
        self.control.fetch_and(!ON, Ordering::Relaxed);
        self.swap()
    }

    /// Takes everything that is pending, if a look shows anything at all.
    ///
    /// Only for a CPU that is awake, has notifications suppressed and will look
    /// again: the look may miss a post that is under way.
    pub fn harvest_if_any(&self) -> Pending {
        if self.has_any() {
            self.harvest()
        } else {
            Pending::default()
        }
    }

    /// Whether a look shows anything pending; it may miss a post under way.
    pub fn has_any(&self) -> bool {
        self.pir
            .iter()
            .any(|word| word.load(Ordering::Relaxed) != 0)
    }

    /// Turns notifications on and looks once more.
    ///
    /// If nothing is returned the CPU may sleep: every later post notifies it.
    /// Otherwise notifications are suppressed again, and what is returned must
    /// be handled.
    pub fn fall_asleep(&self) -> Option<Pending> {
        self.control.fetch_and(!(ON | SN), Ordering::Relaxed);
        let pending = self.swap();
        if pending.is_empty() {
            return None;
        }
        self.suppress();
        Some(pending)
    }

    /// Whether `vector` is pending.
    ///
    /// A false answer synchronises with the harvest that took it.
    pub fn is_pending(&self, vector: u8) -> bool {
        self.pir
            .get(usize::from(vector / 64))
            .is_some_and(|word| word.load(Ordering::Acquire) >> (vector % 64) & 1 == 1)
    }

    /// Has later notifications sent elsewhere; ON and SN keep their values.
    pub fn notify_at(&self, target: Notification) {
        let mut control = self.control.load(Ordering::Relaxed);
        while let Err(now) = self.control.compare_exchange_weak(
            control,
            control & (ON | SN) | control_word(target),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            control = now;
        }
    }

    /// Whether a notification is outstanding (ON).
    pub fn is_notified(&self) -> bool {
        self.control.load(Ordering::Relaxed) & ON != 0
    }

    /// Swaps every word, also empty ones: the swap is what a later post meets.
    fn swap(&self) -> Pending {
        let mut words = [0; PIR_WORDS];
        for (taken, word) in words.iter_mut().zip(&self.pir) {
            *taken = word.swap(0, Ordering::AcqRel);
        }
        Pending { words }
    }
}

impl Pending {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.words == [0; PIR_WORDS]
    }

    /// The bits, as in the PIR.
    pub(super) fn words(&self) -> [u64; PIR_WORDS] {
        self.words
    }

    /// How many vectors there are.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }
}

impl Iterator for Pending {
    type Item = u8;

    /// The highest vector that is left.
    fn next(&mut self) -> Option<u8> {
        for (word, base) in self.words.iter_mut().zip([0u8, 64, 128, 192]).rev() {
            if let Some(bit) = word.checked_ilog2() {
                *word &= !(1 << bit);
                return u8::try_from(bit).ok().map(|bit| base + bit);
            }
        }
        None
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const HERE: Notification = Notification {
        destination: 0xdead_beef,
        vector: 0xf2,
    };

    #[test]
    fn the_first_post_notifies_and_later_ones_do_not() {
        let descriptor = Descriptor::new(HERE);
        assert_eq!(
            descriptor.post(0x31, false),
            Posted {
                coalesced: false,
                notify: Some(HERE)
            }
        );
        assert_eq!(
            descriptor.post(0x32, false),
            Posted {
                coalesced: false,
                notify: None
            }
        );
        assert_eq!(
            descriptor.post(0x31, false),
            Posted {
                coalesced: true,
                notify: None
            }
        );
        assert!(descriptor.harvest().eq([0x32, 0x31]));
    }

    #[test]
    fn suppression_leaves_on_alone_and_urgency_overrides_it() {
        let descriptor = Descriptor::new(HERE);
        descriptor.suppress();
        assert_eq!(descriptor.post(0x40, false).notify, None);
        assert!(!descriptor.is_notified());
        assert_eq!(descriptor.post(0x41, true).notify, Some(HERE));
        assert!(descriptor.is_notified());
    }

    #[test]
    fn a_notification_moves_with_its_cpu() {
        let descriptor = Descriptor::new(HERE);
        let there = Notification {
            destination: 7,
            vector: 0xf1,
        };
        descriptor.notify_at(there);
        assert_eq!(descriptor.post(0x40, false).notify, Some(there));
    }

    #[test]
    fn falling_asleep_hands_over_what_is_pending_instead() {
        let descriptor = Descriptor::new(HERE);
        descriptor.suppress();
        assert_eq!(descriptor.post(0x40, false).notify, None);
        assert!(descriptor.fall_asleep().unwrap().eq([0x40]));
        // Still awake: no notification.
        assert_eq!(descriptor.post(0x41, false).notify, None);
        assert!(descriptor.fall_asleep().unwrap().eq([0x41]));
        assert!(descriptor.fall_asleep().is_none());
        assert_eq!(descriptor.post(0x42, false).notify, Some(HERE));
    }

    proptest! {
        #[test]
        fn every_vector_posted_is_harvested_once_highest_first(
            vectors in proptest::collection::vec(any::<u8>(), 0..300)
        ) {
            let descriptor = Descriptor::new(HERE);
            let mut model = BTreeSet::new();
            for vector in vectors {
                let posted = descriptor.post(vector, false);
                prop_assert_eq!(posted.coalesced, !model.insert(vector));
                prop_assert!(descriptor.is_pending(vector));
            }
            let pending = descriptor.harvest();
            prop_assert_eq!(pending.len() as usize, model.len());
            prop_assert!(pending.eq(model.into_iter().rev()));
            prop_assert!(descriptor.harvest().is_empty());
        }
    }
}
