/// Names for containers which were given none, and the rule for those which were.
package enum ContainerNames {
    private static let adjectives = [
        "able", "agile", "airy", "alert", "amber", "ample", "apt", "balmy", "blithe", "bold", "brave", "breezy",
        "bright",
        "brisk", "calm", "candid", "careful", "cheery", "civil", "clear", "clever", "copper", "cosy", "crisp",
        "curious",
        "daring", "deft", "devoted", "dreamy", "eager", "earnest", "easy", "elated", "even", "exact", "fair",
        "faithful",
        "fearless", "fine", "fleet", "fond", "frank", "fresh", "gallant", "gentle", "glad", "golden", "graceful",
        "handy",
        "happy", "hardy", "hearty", "honest", "humble", "jolly", "jovial", "just", "keen", "kind", "lively", "loyal",
        "lucid", "lucky", "mellow", "merry", "mild", "modest", "neat", "nimble", "noble", "patient", "placid", "plucky",
        "polite", "prompt", "proud", "quiet", "quick", "ready", "robust", "serene", "sharp", "silent", "silver",
        "simple",
        "sincere", "sleek", "smooth", "snug", "sober", "solid", "spry", "square", "steady", "stout", "sunny", "swift",
        "tidy", "tranquil", "true", "upbeat", "valiant", "vivid", "warm", "wise", "witty", "zesty",
    ]

    /// People who measured, reckoned and built.
    private static let surnames = [
        "abel", "agnesi", "airy", "ampere", "anning", "archimedes", "babbage", "bassi", "becquerel", "bell",
        "bernoulli",
        "bessel", "bohr", "boltzmann", "boole", "born", "boyle", "brahe", "cannon", "cantor", "carnot", "carson",
        "cauchy",
        "cavendish", "celsius", "chandra", "church", "clarke", "coulomb", "cori", "curie", "dalton", "darwin", "dirac",
        "einstein", "elion", "erdos", "euclid", "euler", "faraday", "fermat", "fermi", "feynman", "fibonacci",
        "fourier",
        "franklin", "fresnel", "galileo", "galois", "gauss", "germain", "gibbs", "godel", "halley", "hamilton",
        "herschel",
        "hertz", "hilbert", "hodgkin", "hooke", "hopper", "hubble", "huygens", "hypatia", "jacobi", "joule", "kelvin",
        "kepler", "khwarizmi", "kovalevskaya", "lagrange", "lamarr", "laplace", "leavitt", "leibniz", "linnaeus",
        "lorentz",
        "lovelace", "mach", "maxwell", "mayer", "mcclintock", "meitner", "mendel", "mercator", "minkowski",
        "nightingale",
        "nobel", "noether", "oersted", "ohm", "pascal", "pauli", "payne", "planck", "poincare", "poisson", "ptolemy",
        "raman", "ramanujan", "rayleigh", "riemann", "rontgen", "rubin", "rutherford", "salk", "schrodinger", "seki",
        "shannon", "somerville", "tarski", "tesla", "thales", "torricelli", "turing", "volta", "wallis", "watt",
        "weber",
        "wu", "yalow", "young", "yukawa",
    ]

    /// `adjective_surname`, with a digit when `attempt` shows that plain ones are taken.
    package static func random(attempt: Int = 0) -> String {
        let name = (adjectives.randomElement() ?? "plain") + "_" + (surnames.randomElement() ?? "box")
        return attempt > 0 ? name + String(Int.random(in: 0...9)) : name
    }

    /// `name` without the leading `/` of the API; throws Docker's text unless it is a letter or digit followed by at
    /// least one letter, digit, `_`, `.` or `-`.
    package static func validated(_ name: String) throws(EngineError) -> String {
        let bare = name.hasPrefix("/") ? String(name.dropFirst()) : name
        guard isValid(bare) else {
            throw .invalid("Invalid container name (\(name)), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        }
        return bare
    }

    /// Whether a name, without the leading `/`, is what the error of `validated` says.
    static func isValid(_ bare: String) -> Bool {
        let bytes = Array(bare.utf8)
        guard bytes.count >= 2, let first = bytes.first, isAlphanumeric(first) else { return false }
        return bytes.dropFirst().allSatisfy { isAlphanumeric($0) || $0 == 0x5F || $0 == 0x2E || $0 == 0x2D }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
