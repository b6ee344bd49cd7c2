//! How often may one come? A token bucket for each principal and each address.
//!
//! A bucket is kept as one point in time, the one at which it will be full again (the generic cell
//! rate algorithm): whoever's bucket is full needs no entry. The table is bounded all the same. Where
//! it is full of buckets that are not, those nearest to full are forgotten, so that a flood from many
//! addresses cannot make us forget whoever already asked too much.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Principal;
use crate::config::Rate;

/// Buckets kept at once: two MiB of them.
const MAX_BUCKETS: usize = 16 * 1024;

/// How many stay when some have to be forgotten, so that it is not done for every newcomer.
const KEPT_BUCKETS: usize = MAX_BUCKETS / 4 * 3;

/// Bits of an IPv6 address that tell one site from another: whoever has one address has the other
/// 2^64 of its network as well (RFC 6177).
const SITE_BITS: u32 = 64;

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// An address, or a network of IPv6 addresses of one site.
    Address(IpAddr),
    /// Everything that is let in under one name.
    Principal(Principal),
}

impl Whose {
    /// Whoever is at this address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => {
                let site = u128::from(address) >> (128 - SITE_BITS) << (128 - SITE_BITS);
                IpAddr::V6(Ipv6Addr::from(site))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// The buckets.
#[derive(Debug)]
pub struct Buckets {
    /// The time in which one request is earned.
    interval: Duration,
    /// How far from full a bucket may be for one more request.
    tolerance: Duration,
    full_at: Mutex<HashMap<Whose, Instant>>,
}

impl Buckets {
    /// Buckets that fill at this rate, and hold as much as its number.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        let interval = rate.per / rate.count.max(1);
        Self {
            interval,
            tolerance: interval * (rate.count.max(1) - 1),
            full_at: Mutex::default(),
        }
    }

    /// Takes one request out of somebody's bucket.
    ///
    /// # Errors
    ///
    /// How long it takes until there is one.
    pub fn take(&self, whose: Whose, now: Instant) -> Result<(), Duration> {
        let mut table = self.full_at.lock();
        let full_at = table.get(&whose).map_or(now, |full_at| (*full_at).max(now));
        let missing = full_at - now;
        if missing > self.tolerance {
            return Err(missing - self.tolerance);
        }
        if table.len() >= MAX_BUCKETS && !table.contains_key(&whose) {
            forget(&mut table, now);
        }
        table.insert(whose, full_at + self.interval);
        Ok(())
    }
}

fn forget(table: &mut HashMap<Whose, Instant>, now: Instant) {
    table.retain(|_, full_at| *full_at > now);
    if table.len() <= KEPT_BUCKETS {
        return;
    }
    let mut times: Vec<Instant> = table.values().copied().collect();
    let excess = times.len() - KEPT_BUCKETS;
    let (_, last, _) = times.select_nth_unstable(excess - 1);
    let last = *last;
    // Several may be full at that very moment; no more are forgotten than have to be.
    let mut left = excess;
    table.retain(|_, full_at| {
        let goes = left > 0 && *full_at <= last;
        left -= usize::from(goes);
        !goes
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(text: &str) -> Buckets {
        Buckets::new(Rate::parse(text).unwrap())
    }

    fn address(text: &str) -> Whose {
        Whose::at(text.parse().unwrap())
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let buckets = buckets("20/s");
        let start = Instant::now();
        let who = address("192.0.2.1");
        for _ in 0..20 {
            assert_eq!(buckets.take(who.clone(), start), Ok(()));
        }
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(
            buckets.take(who.clone(), start),
            Err(Duration::from_millis(50))
        );
        assert_eq!(
            buckets.take(who.clone(), after(49)),
            Err(Duration::from_millis(1))
        );
        assert_eq!(buckets.take(who.clone(), after(50)), Ok(()));
        assert!(buckets.take(who.clone(), after(50)).is_err());
        // What was refused cost nothing, and a pause earns a burst and no more.
        for n in 0..21 {
            assert_eq!(
                buckets.take(who.clone(), after(60_000)).is_ok(),
                n < 20,
                "{n}"
            );
        }
    }

    #[test]
    fn each_has_a_bucket() {
        let buckets = buckets("1/m");
        let now = Instant::now();
        let alice = Whose::Principal(Principal::named("alice"));
        for who in [
            address("192.0.2.1"),
            address("192.0.2.2"),
            address("2001:db8::1"),
            address("2001:db8:0:1::1"),
            alice.clone(),
            Whose::Principal(Principal::named("bob")),
        ] {
            assert_eq!(buckets.take(who.clone(), now), Ok(()), "{who:?}");
        }
        for same in [
            address("::ffff:192.0.2.1"),
            address("2001:db8::ffff"),
            alice,
        ] {
            let wait = buckets.take(same.clone(), now);
            assert_eq!(wait, Err(Duration::from_secs(60)), "{same:?}");
        }
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_frees_nobody_who_asked_too_much() {
        let buckets = buckets("10/h");
        let now = Instant::now();
        let greedy = address("192.0.2.1");
        while buckets.take(greedy.clone(), now).is_ok() {}
        for n in 0..u32::try_from(MAX_BUCKETS).unwrap() * 3 {
            let other = Whose::at(IpAddr::from(n.to_be_bytes()));
            let _taken = buckets.take(other, now);
            assert!(buckets.full_at.lock().len() <= MAX_BUCKETS);
        }
        assert!(buckets.take(greedy.clone(), now).is_err());
        // Buckets that are full again are no load.
        let later = now + Duration::from_secs(7200);
        for n in 0..u32::try_from(MAX_BUCKETS).unwrap() {
            let _taken = buckets.take(Whose::at(IpAddr::from(n.to_be_bytes())), later);
        }
        assert!(buckets.take(greedy, later).is_ok());
    }
}
