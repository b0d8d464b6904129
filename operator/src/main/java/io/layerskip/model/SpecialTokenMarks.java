package io.layerskip.model;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Tells the special tokens of a template from the same characters in a message: a tokenizer learns
 * each special token under another text, its mark, that nobody can guess, and what a template wrote
 * is given to it with the marks in place of the tokens. Everything else about the tokenizer and the
 * text around the tokens stays, so that a text is tokenized as a whole, borders between its parts
 * included.
 *
 * <p>A mark is made of small letters: no normalizer changes them.
 */
final class SpecialTokenMarks {

    private static final int SECRET_LETTERS = 28;
    private static final int INDEX_LETTERS = 6;
    private static final int LETTERS = 26;

    /** The marks of special tokens, by the tokens' ids. */
    private final Map<Integer, String> byId = new HashMap<>();

    /** An added token and what stands for it; another one than a special token for itself. */
    private record Token(String text, String given, int id) {}

    /** The added tokens by their first characters, the longest first. */
    private final Map<Character, List<Token>> tokens = new HashMap<>();

    /**
     * @param addedTokens ids by their texts
     * @param special the ids of those that get a mark
     */
    SpecialTokenMarks(Map<String, Integer> addedTokens, BitSet special) {
        String secret = letters();
        addedTokens.forEach(
                (text, id) -> {
                    if (special.get(id)) {
                        byId.putIfAbsent(id, secret + index(byId.size()));
                    }
                    if (!text.isEmpty()) {
                        tokens.computeIfAbsent(text.charAt(0), first -> new ArrayList<>())
                                .add(new Token(text, byId.getOrDefault(id, text), id));
                    }
                });
        Comparator<Token> byLength = Comparator.comparingInt(token -> token.text().length());
        tokens.values().forEach(list -> list.sort(byLength.reversed()));
    }

    private static String letters() {
        SecureRandom random = new SecureRandom();
        StringBuilder letters = new StringBuilder();
        for (int i = 0; i < SECRET_LETTERS; i++) {
            letters.append((char) ('a' + random.nextInt(LETTERS)));
        }
        return letters.toString();
    }

    private static String index(int number) {
        StringBuilder letters = new StringBuilder();
        for (int i = 0, rest = number; i < INDEX_LETTERS; i++, rest /= LETTERS) {
            letters.append((char) ('a' + rest % LETTERS));
        }
        return letters.toString();
    }

    /** The marks by the ids of the tokens that they stand for. */
    Map<Integer, String> byId() {
        return byId;
    }

    /** What a tokenizer with these marks takes for one token each, and the ids of the tokens. */
    Map<String, Integer> ids() {
        Map<String, Integer> ids = new HashMap<>();
        tokens.values().forEach(list -> list.forEach(token -> ids.put(token.given(), token.id())));
        return ids;
    }

    /** A text with marks for the special tokens in the parts that may hold such. */
    String mark(MarkedText text) {
        StringBuilder marked = new StringBuilder();
        for (MarkedText.Part part : text.parts()) {
            if (part.special()) {
                mark(part.text(), marked);
            } else {
                marked.append(part.text());
            }
        }
        return marked.toString();
    }

    /**
     * As a tokenizer finds added tokens: the first one, and of those that begin there the longest.
     */
    private void mark(String text, StringBuilder marked) {
        int at = 0;
        while (at < text.length()) {
            Token found = null;
            for (Token token : tokens.getOrDefault(text.charAt(at), List.of())) {
                if (text.startsWith(token.text(), at)) {
                    found = token;
                    break;
                }
            }
            if (found == null) {
                marked.append(text.charAt(at++));
            } else {
                marked.append(found.given());
                at += found.text().length();
            }
        }
    }
}
