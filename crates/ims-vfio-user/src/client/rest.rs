// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether what a client waits for has come to rest, and who has to be told.

use ims::sync::{AtomicU32, Ordering};

/// It has begun; who began it will look.
const BEGUN: u32 = 0;
/// Who began it has looked in vain, and wants to be told.
const AWAITED: u32 = 1;
/// It has come to rest.
const REACHED: u32 = 2;

/// Rest, which the one who began something finds at once, or is told of later.
///
/// # Concurrency
/// One thread begins and waits; any other one reaches it. What was done before it
/// was reached is visible to whoever sees that it is.
#[derive(Debug, Default)]
pub(super) struct Rest(AtomicU32);

impl Rest {
    /// It has come to rest; says whether somebody has to be told.
    #[must_use = "somebody may wait to be told"]
    pub(super) fn reach(&self) -> bool {
        self.0.swap(REACHED, Ordering::Release) == AWAITED
    }

    /// Says whether it is there; if not, whoever reaches it tells.
    pub(super) fn is_reached_or_awaited(&self) -> bool {
        self.0
            .compare_exchange(BEGUN, AWAITED, Ordering::Relaxed, Ordering::Acquire)
            .is_err_and(|now| now == REACHED)
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn loom_rest_is_found_or_told_and_what_came_before_is_visible() {
        loom::model(|| {
            let shared = Arc::new((Rest::default(), AtomicU32::new(0)));
            let other = {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.1.store(7, Ordering::Relaxed);
                    shared.0.reach()
                })
            };
            let found = shared.0.is_reached_or_awaited();
            if found {
                assert_eq!(shared.1.load(Ordering::Relaxed), 7);
            }
            assert!(
                found ^ other.join().unwrap(),
                "one of the two, and not both"
            );
            assert!(shared.0.is_reached_or_awaited());
        });
    }
}
