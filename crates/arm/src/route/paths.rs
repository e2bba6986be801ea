//! Beginnings of the patterns that more than one table of routes uses.

macro_rules! sub {
    ($rest:literal) => {
        concat!("/subscriptions/{sub}", $rest)
    };
}

macro_rules! group {
    ($rest:literal) => {
        concat!("/subscriptions/{sub}/resourceGroups/{group}", $rest)
    };
}

macro_rules! any {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{sub}/resourceGroups/{group}/providers/{namespace}/{kind}/{name}",
            $rest
        )
    };
}
