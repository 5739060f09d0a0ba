#include "tasks/compare/algebra.h"

#include <algorithm>

namespace minke::compare {
namespace {

constexpr size_t kMaxBits = 8192;
constexpr long kMaxExponent = 1000;
constexpr unsigned long kTrialDivision = 2000;  // primes beyond it stay together in one atom

size_t n_bits(const mpq_class& value) {
  return mpz_sizeinbase(value.get_num_mpz_t(), 2) + mpz_sizeinbase(value.get_den_mpz_t(), 2);
}

bool is_one(const Polynomial& sum) { return sum.size() == 1 && sum.begin()->first.empty() && sum.begin()->second == 1; }

bool is_positive_constant(const std::string& atom) { return atom[0] == '#' || atom == "pi" || atom == "e"; }

}  // namespace

bool is_rational(const Quotient& value) {
  return is_one(value.below) && (value.above.empty() || (value.above.size() == 1 && value.above.begin()->first.empty()));
}

mpq_class rational_of(const Quotient& value) { return value.above.empty() ? mpq_class(0) : value.above.begin()->second; }

void Algebra::spend(int64_t work) {
  work_left_ -= work;
  if (work_left_ < 0) failed_ = true;
}

void Algebra::add_term(Polynomial& sum, const Monomial& monomial, const mpq_class& coefficient) {
  spend(1 + static_cast<int64_t>(monomial.size()) + static_cast<int64_t>(n_bits(coefficient) / 64));
  if (failed_ || coefficient == 0) return;
  if (n_bits(coefficient) > kMaxBits) return fail();
  mpq_class& there = sum[monomial];
  there += coefficient;
  if (there == 0) sum.erase(monomial);
}

// Powers of primes stay in [0, 1), i^2 is -1; the rest moves into the coefficient.
void Algebra::raise_atom(Monomial& monomial, mpq_class& coefficient, const std::string& name, const mpq_class& exponent) {
  mpq_class total = exponent;
  if (auto there = monomial.find(name); there != monomial.end()) total += there->second;
  if (abs(total) > kMaxExponent) return fail();
  if (name == "i" && total.get_den() == 1) {
    const unsigned long turns = mpz_fdiv_ui(total.get_num_mpz_t(), 4);
    if (turns >= 2) coefficient = -coefficient;
    total = turns % 2;
  } else if (name[0] == '#') {
    mpz_class whole;
    mpz_fdiv_q(whole.get_mpz_t(), total.get_num_mpz_t(), total.get_den_mpz_t());
    total -= whole;
    const mpz_class prime(name.substr(1));
    const long steps = whole.get_si();
    if (mpz_sizeinbase(prime.get_mpz_t(), 2) * static_cast<size_t>(std::abs(steps)) > kMaxBits) return fail();
    mpz_class factor;
    mpz_pow_ui(factor.get_mpz_t(), prime.get_mpz_t(), static_cast<unsigned long>(std::abs(steps)));
    coefficient = steps >= 0 ? mpq_class(coefficient * factor) : mpq_class(coefficient / factor);
  }
  if (total == 0) {
    monomial.erase(name);
  } else {
    monomial[name] = total;
  }
}

Polynomial Algebra::multiply(const Polynomial& a, const Polynomial& b) {
  Polynomial out;
  for (const auto& [left, left_coefficient] : a) {
    for (const auto& [right, right_coefficient] : b) {
      Monomial monomial = left;
      mpq_class coefficient = left_coefficient * right_coefficient;
      for (const auto& [name, exponent] : right) raise_atom(monomial, coefficient, name, exponent);
      add_term(out, monomial, coefficient);
      if (failed_) return out;
    }
  }
  return out;
}

Quotient Algebra::single(const Monomial& monomial, const mpq_class& coefficient) {
  Quotient out = number(1);
  out.above.clear();
  add_term(out.above, monomial, coefficient);
  return out;
}

Quotient Algebra::number(const mpq_class& value) {
  Quotient out;
  if (n_bits(value) > kMaxBits) fail();
  if (value != 0) out.above[{}] = value;
  out.below[{}] = 1;
  return out;
}

Quotient Algebra::atom(std::string name) { return single({{std::move(name), mpq_class(1)}}, 1); }

Quotient Algebra::negated(const Quotient& a) {
  Quotient out = a;
  for (auto& [monomial, coefficient] : out.above) coefficient = -coefficient;
  return out;
}

Quotient Algebra::add(const Quotient& a, const Quotient& b) {
  const bool same = a.below == b.below;
  Quotient out = {same ? a.above : multiply(a.above, b.below), same ? a.below : multiply(a.below, b.below)};
  for (const auto& [monomial, coefficient] : same ? b.above : multiply(b.above, a.below)) {
    add_term(out.above, monomial, coefficient);
  }
  return out;
}

Quotient Algebra::multiply(const Quotient& a, const Quotient& b) {
  return {multiply(a.above, b.above), multiply(a.below, b.below)};
}

Quotient Algebra::inverse(const Quotient& a) {
  if (failed_ || a.above.empty()) {
    fail();
    return a;
  }
  if (a.above.size() > 1) return {a.below, a.above};
  Monomial monomial;
  mpq_class coefficient = 1 / a.above.begin()->second;
  for (const auto& [name, exponent] : a.above.begin()->first) raise_atom(monomial, coefficient, name, -exponent);
  Quotient out = single(monomial, coefficient);
  out.above = multiply(out.above, a.below);
  return out;
}

Quotient Algebra::integer_power(const Quotient& base, long exponent) {
  if (std::abs(exponent) > kMaxExponent) fail();
  if (failed_) return base;
  if (exponent < 0) return integer_power(inverse(base), -exponent);
  if (exponent == 0 && base.above.empty()) fail();  // 0^0
  Quotient out = number(1), square = base;
  for (long left = exponent; left > 0 && !failed_; left /= 2) {
    if (left % 2 == 1) out = multiply(out, square);
    if (left > 1) square = multiply(square, square);
  }
  return out;
}

// number > 0
void Algebra::raise_number(Monomial& monomial, mpq_class& coefficient, const mpz_class& value, const mpq_class& exponent) {
  mpz_class rest = value;
  spend(kTrialDivision / 4);
  auto raise = [&](const mpz_class& factor, unsigned long times) {
    raise_atom(monomial, coefficient, "#" + factor.get_str(), exponent * times);
  };
  for (unsigned long factor = 2; factor <= kTrialDivision && rest > 1; ++factor) {
    if (mpz_divisible_ui_p(rest.get_mpz_t(), factor) == 0) continue;
    mpz_class prime(factor);
    raise(prime, mpz_remove(rest.get_mpz_t(), rest.get_mpz_t(), prime.get_mpz_t()));
  }
  if (rest == 1) return;
  // A square of a large prime, a cube...
  for (unsigned long degree = 7; degree >= 2; --degree) {
    mpz_class root;
    if (mpz_root(root.get_mpz_t(), rest.get_mpz_t(), degree) != 0) return raise(root, degree);
  }
  raise(rest, 1);
}

Quotient Algebra::rational_power(const Quotient& base, const mpq_class& exponent, RootOf root) {
  if (base.above.empty()) {
    if (exponent < 0) fail();
    return base;
  }
  bool understood = is_one(base.below) && base.above.size() == 1;
  Monomial monomial;
  mpq_class coefficient = 1;
  if (understood) {
    const auto& [atoms, factor] = *base.above.begin();
    if (factor < 0 && exponent.get_den() % 2 != 0 && root == RootOf::kReal) {
      if (exponent.get_num() % 2 != 0) coefficient = -1;
    } else if (factor < 0 && exponent.get_den() == 2) {
      raise_atom(monomial, coefficient, "i", exponent.get_num());
    } else if (factor < 0) {
      understood = false;
    }
    raise_number(monomial, coefficient, abs(factor.get_num()), exponent);
    raise_number(monomial, coefficient, factor.get_den(), -exponent);
    // sqrt(x^2) is not x, and sqrt(-x) not i sqrt(x): beside positive constants one plain variable may stand, under a positive
    // factor.
    int n_variables = 0;
    for (const auto& [name, power] : atoms) {
      const bool constant = is_positive_constant(name);
      if (!constant && (power != 1 || ++n_variables > 1 || factor < 0 || name == "i")) understood = false;
      if (understood) raise_atom(monomial, coefficient, name, power * exponent);
    }
  }
  if (understood) return single(monomial, coefficient);
  return single({{"(" + text(base) + ")", exponent}}, 1);
}

// base^(c + sum of k m) as base^c times a product of (base^m)^k, for positive bases; for others one atom.
Quotient Algebra::exponential(const Quotient& base, const Quotient& exponent) {
  const bool positive = is_one(base.below) && base.above.size() == 1 && base.above.begin()->second > 0 &&
                        std::all_of(base.above.begin()->first.begin(), base.above.begin()->first.end(),
                                    [](const auto& part) { return is_positive_constant(part.first); });
  const std::string name = "pow " + text(base) + ";";
  if (!positive || !is_one(exponent.below)) return atom(name + text(exponent));
  Quotient out = number(1);
  for (const auto& [monomial, coefficient] : exponent.above) {
    if (monomial.empty()) {
      out = multiply(out, power(base, number(coefficient)));
    } else {
      out = multiply(out, single({{name + text(Polynomial{{monomial, 1}}), coefficient}}, 1));
    }
  }
  return out;
}

Quotient Algebra::power(const Quotient& base, const Quotient& exponent, RootOf root) {
  if (failed_) return base;
  if (!is_rational(exponent)) return exponential(base, exponent);
  const mpq_class by = rational_of(exponent);
  if (abs(by) > kMaxExponent) {
    fail();
    return base;
  }
  return by.get_den() == 1 ? integer_power(base, by.get_num().get_si()) : rational_power(base, by, root);
}

Quotient Algebra::apply(std::string_view function, const Quotient& argument) {
  return atom(std::string(function) + "(" + text(argument) + ")");
}

bool Algebra::equal(const Quotient& a, const Quotient& b) {
  if (failed_) return false;
  if (a.below == b.below) return a.above == b.above;
  const Polynomial left = multiply(a.above, b.below), right = multiply(b.above, a.below);
  return !failed_ && left == right;
}

bool Algebra::proportional(const Quotient& a, const Quotient& b) {
  if (failed_ || a.above.empty() || b.above.empty()) return false;
  Polynomial left = multiply(a.above, b.below), right = multiply(b.above, a.below);
  if (failed_ || left.empty() || right.empty()) return false;
  const mpq_class first_left = left.begin()->second, first_right = right.begin()->second;
  for (auto& [monomial, coefficient] : left) coefficient /= first_left;
  for (auto& [monomial, coefficient] : right) coefficient /= first_right;
  return left == right;
}

std::string Algebra::text(const Polynomial& sum) {
  std::string out;
  for (const auto& [monomial, coefficient] : sum) {
    out += "+" + coefficient.get_str();
    for (const auto& [name, exponent] : monomial) out += "*" + name + "^" + exponent.get_str();
    spend(static_cast<int64_t>(out.size() / 16));
    if (failed_ || out.size() > 10'000) {
      fail();
      return {};
    }
  }
  return out;
}

std::string Algebra::text(const Quotient& value) {
  return is_one(value.below) ? text(value.above) : text(value.above) + "/" + text(value.below);
}

}  // namespace minke::compare
