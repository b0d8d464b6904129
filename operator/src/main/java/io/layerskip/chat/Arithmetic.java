package io.layerskip.chat;

import io.layerskip.chat.Values.ListValue;
import io.layerskip.chat.Values.TupleValue;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;

/** {@code + - * / // % **} as Python has them, for ints of 64 bits. */
final class Arithmetic {

    private Arithmetic() {}

    static Object apply(Budget budget, String operator, Object a, Object b) {
        Python.requireDefined(a, b);
        if (Python.isNumber(a) && Python.isNumber(b)) {
            return numbers(operator, Python.number(a), Python.number(b));
        } else if (operator.equals("+")) {
            if (a instanceof Str x && b instanceof Str y) {
                budget.takeText((long) x.text().length() + y.text().length());
                return x.plus(y);
            } else if (a instanceof ListValue x && b instanceof ListValue y) {
                return new ListValue(joined(budget, x.items(), y.items()));
            } else if (a instanceof TupleValue x && b instanceof TupleValue y) {
                return new TupleValue(joined(budget, x.items(), y.items()));
            }
        } else if (operator.equals("*")) {
            if (b instanceof Long times) {
                return repeated(budget, a, times);
            } else if (a instanceof Long times) {
                return repeated(budget, b, times);
            }
        }
        throw refused(operator, a, b);
    }

    private static RenderError refused(String operator, Object a, Object b) {
        return new RenderError(
                "the chat template computes '%s' %s '%s', which is not supported"
                        .formatted(Python.type(a), operator, Python.type(b)));
    }

    private static List<Object> joined(Budget budget, List<Object> a, List<Object> b) {
        budget.take((long) a.size() + b.size());
        List<Object> joined = new ArrayList<>(a);
        joined.addAll(b);
        return joined;
    }

    private static Object repeated(Budget budget, Object value, long times) {
        long count = Math.max(0, times);
        if (value instanceof Str text) {
            // Before the product, which a large count must not make overflow.
            budget.take(count);
            budget.takeText(count * text.text().length());
            Str.Builder repeated = new Str.Builder();
            for (long i = 0; i < count; i++) {
                repeated.append(text);
            }
            return repeated.build();
        } else if (value instanceof ListValue list) {
            budget.take(count);
            budget.take(count * list.items().size());
            List<Object> repeated = new ArrayList<>();
            for (long i = 0; i < count; i++) {
                repeated.addAll(list.items());
            }
            return new ListValue(repeated);
        }
        throw refused("*", value, count);
    }

    private static Object numbers(String operator, Number a, Number b) {
        if (a instanceof BigInteger || b instanceof BigInteger) {
            throw new RenderError("the chat template computes with an int of more than 64 bits");
        }
        try {
            return a instanceof Long x && b instanceof Long y
                    ? longs(operator, x, y)
                    : doubles(operator, a.doubleValue(), b.doubleValue());
        } catch (ArithmeticException e) {
            throw new RenderError(
                    "the chat template computes %s %s %s: %s"
                            .formatted(a, operator, b, e.getMessage()));
        }
    }

    private static Object longs(String operator, long a, long b) {
        return switch (operator) {
            case "+" -> Math.addExact(a, b);
            case "-" -> Math.subtractExact(a, b);
            case "*" -> Math.multiplyExact(a, b);
            case "//" -> Math.floorDiv(a, b);
            case "%" -> Math.floorMod(a, b);
            case "/" -> {
                requireDivisor(b);
                yield (double) a / b;
            }
            default -> power(a, b);
        };
    }

    private static Object power(long base, long exponent) {
        if (exponent < 0) {
            return doublePower(base, exponent);
        }
        if (base == 0 || base == 1 || base == -1) {
            return exponent == 0 || base == -1 && exponent % 2 == 0 ? 1L : base;
        }
        long power = 1;
        // Any other base overflows within 64 rounds.
        for (long i = 0; i < exponent; i++) {
            power = Math.multiplyExact(power, base);
        }
        return power;
    }

    private static Object doubles(String operator, double a, double b) {
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> {
                requireDivisor(b);
                yield a / b;
            }
            case "//" -> {
                requireDivisor(b);
                yield floorQuotient(a, b);
            }
            case "%" -> {
                requireDivisor(b);
                yield floorRemainder(a, b);
            }
            default -> doublePower(a, b);
        };
    }

    /** With the sign of the divisor. */
    private static double floorRemainder(double a, double b) {
        double remainder = a % b;
        if (remainder == 0) {
            return Math.copySign(0.0, b);
        }
        return remainder < 0 != b < 0 ? remainder + b : remainder;
    }

    /**
     * CPython's {@code float_floor_div}: of 1.0 and 0.1 it is 9.0, since 0.1 is a little more than
     * a tenth, while their quotient is rounded to 10.0.
     */
    private static double floorQuotient(double a, double b) {
        double remainder = a % b;
        double quotient = (a - remainder) / b - (remainder != 0 && remainder < 0 != b < 0 ? 1 : 0);
        if (quotient == 0) {
            return Math.copySign(0.0, a / b);
        }
        double floor = Math.floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    /** Python has no infinite or undefined powers of finite numbers, and complex ones. */
    private static double doublePower(double base, double exponent) {
        double power = Math.pow(base, exponent);
        if (!Double.isFinite(power) && Double.isFinite(base) && Double.isFinite(exponent)) {
            throw new ArithmeticException("no finite number");
        }
        return power;
    }

    private static void requireDivisor(double divisor) {
        if (divisor == 0) {
            throw new ArithmeticException("division by zero");
        }
    }

    static Object negated(Object value) {
        Python.requireDefined(value);
        if (!Python.isNumber(value)) {
            throw refused("-", 0L, value);
        }
        Number number = Python.number(value);
        // 0 - 0.0 is 0.0; the negative of 0.0 is not.
        return number instanceof Double real ? (Object) (-real) : numbers("-", 0L, number);
    }
}
